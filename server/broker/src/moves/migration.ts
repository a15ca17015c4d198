/** One move of one room: its plan, what happened so far, and the record of it. */
import type {
  CarrierKind,
  Mechanism,
  MigrationPhase,
  MigrationView,
  MoveReason,
  Receipt,
  Transfer,
  WireError,
} from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { JournalEntry } from "../store/store.js";
import { FreezeReports, type FreezeSummary } from "./freeze-reports.js";

export interface MoveOrder {
  migrationId: string;
  roomId: string;
  fromHostId: string;
  toHostId: string;
  toEpoch: number;
  reason: MoveReason;
  startedAtMs: number;
}

/** How rooms of this carrier move when nothing else is asked for. */
export function mechanismOf(carrier: CarrierKind | undefined): Mechanism {
  switch (carrier) {
    case "vm":
      return "hybrid";
    case "container":
      return "auto";
    case "process":
    case undefined:
      return "handoff";
    default: {
      const never: never = carrier;
      throw new RangeError(`unknown carrier ${String(never)}`);
    }
  }
}

/** True if rooms of this carrier move with the sandbox they run in, under an address that stays. */
export const movesWithSandbox = (carrier: CarrierKind | undefined): boolean =>
  carrier === "vm" || carrier === "container";

export class Migration {
  readonly plan: MoveOrder;
  readonly reports: FreezeReports;
  /** Where players reach the room at the destination, once that is known. */
  destination: { processId: string; address: string } | undefined;
  transfer: Transfer | undefined;
  /** How much the room's players did when the move began; undefined if that was not known. */
  activity: number | undefined;
  phase: MigrationPhase = "preparing";
  bytes = 0;
  /** As asked for; the transfer says what it came to. */
  readonly mechanism: Mechanism;
  readonly #clock: Clock;
  readonly #seen: Receipt["phases"] = [];
  #onOwned: (() => void) | undefined;
  readonly #becomesOwned = new Promise<void>((resolve) => {
    this.#onOwned = resolve;
  });
  owned = false;
  /** Told once it is clear who has the room; the receipt comes later. */
  onSettled: () => void = () => undefined;

  constructor(plan: MoveOrder, mechanism: Mechanism, clock: Clock) {
    this.plan = plan;
    this.mechanism = mechanism;
    this.#clock = clock;
    this.reports = new FreezeReports(clock, plan.startedAtMs);
    this.enter("preparing", 0);
  }

  /** A phase as the source tells it. */
  enter(phase: MigrationPhase, bytes: number): void {
    const atMs = this.#clock.now();
    const last = this.#seen.at(-1);
    this.phase = phase;
    this.bytes = Math.max(this.bytes, bytes);
    if (last?.phase === phase) return;
    if (last !== undefined) last.durationMs = atMs - last.atMs;
    this.#seen.push({ phase, atMs, durationMs: 0 });
  }

  /** The destination says that it runs the room. */
  setOwned(): void {
    this.owned = true;
    this.#onOwned?.();
  }

  whenOwned(): Promise<void> {
    return this.#becomesOwned;
  }

  journalEntry(): JournalEntry {
    return { ...this.plan, phase: this.phase };
  }

  view(): MigrationView {
    const { toEpoch: _, ...plan } = this.plan;
    return { ...plan, phase: this.phase, bytes: this.bytes };
  }

  receipt(
    outcome: Receipt["outcome"],
    epoch: number,
    endedAtMs: number,
    freeze: FreezeSummary,
    error: WireError | undefined,
  ): Receipt {
    const { migrationId, roomId, fromHostId, toHostId, reason, startedAtMs } = this.plan;
    const { transfer } = this;
    return {
      migrationId,
      roomId,
      fromHostId,
      toHostId,
      mechanism: transfer?.mechanism ?? this.mechanism,
      reason,
      outcome,
      ...(error !== undefined && { error }),
      epoch,
      startedAtMs,
      totalMs: endedAtMs - startedAtMs,
      // The source's own times are exact; ours include the way of the message.
      phases: transfer?.phases ?? this.#seen,
      bytes: transfer?.bytes ?? this.bytes,
      ...(transfer?.predicted !== undefined && { predicted: transfer.predicted }),
      ...(this.activity !== undefined && { activity: this.activity }),
      ...silence(transfer),
      ...freeze,
      ...(transfer?.stateHashBefore !== undefined && { stateHashBefore: transfer.stateHashBefore }),
      ...(transfer?.stateHashAfter !== undefined && { stateHashAfter: transfer.stateHashAfter }),
      ...(transfer?.inStep !== undefined && { inStep: transfer.inStep }),
      ...(transfer?.promoted === true && { promoted: true }),
    };
  }
}

/** For clients that cannot tell: what a connection held by the source saw. */
function silence(transfer: Transfer | undefined): Pick<Receipt, "freezeMs"> {
  const silenceMs = transfer?.silenceMs;
  if (silenceMs === undefined) return {};
  return { freezeMs: { clients: 1, p50: silenceMs, p99: silenceMs, max: silenceMs } };
}
