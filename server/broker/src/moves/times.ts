/** How long each part of a move may take. */

export interface MigrationTimes {
  /** The destination must have the slot ready by then. */
  prepareMs: number;
  /** The source gives the move up by then. */
  deadlineMs: number;
  /** The same for a whole machine. */
  vmDeadlineMs: number;
  /** A machine that has arrived must have answered there by then. */
  vmArrivalMs: number;
  /** Players' reports are waited for so long after the switch. */
  reportWindowMs: number;
  /** Pause between two questions to a side that did not answer. */
  settleRetryMs: number;
}

export const DEFAULT_MIGRATION_TIMES: MigrationTimes = {
  // The first room of a host waits for its process to start, on a busy machine for long.
  prepareMs: 12_000,
  deadlineMs: 15_000,
  vmDeadlineMs: 60_000,
  // More than its new host waits for it, so that the host's word comes first.
  vmArrivalMs: 23_000,
  reportWindowMs: 1_000,
  settleRetryMs: 250,
};
