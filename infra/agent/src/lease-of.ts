/** For how long a host may run its rooms, by what each of its brokers has said. Pure. */

/** What is known of one broker. */
export interface BrokerTerms {
  /** As its last welcome said; 0 before the first. */
  readonly leaseMs: number;
  /** How long it cannot have counted the host as lost. */
  leaseLeftMs(nowMs: number): number;
  /** How long none of the others can have either, since they would have asked it. */
  vouchedLeftMs(nowMs: number): number;
  /** How long it cannot have given rooms away because nobody listens there. */
  absenceLeftMs(nowMs: number): number;
}

/**
 * @param lapsed the last lease is over: then only brokers can renew it, since one that has ended may have given rooms away
 * @returns 0 if rooms may not run
 */
export function leaseOf(brokers: readonly BrokerTerms[], nowMs: number, lapsed: boolean): number {
  const vouchedMs = Math.max(...brokers.map((broker) => broker.vouchedLeftMs(nowMs)));
  const eachMs = Math.min(
    ...brokers.map((broker) => Math.max(broker.leaseLeftMs(nowMs), lapsed ? 0 : broker.absenceLeftMs(nowMs))),
  );
  // No further ahead than a lease: a hello cuts short what a broker left that has ended.
  const aheadMs = Math.max(...brokers.map(({ leaseMs }) => leaseMs));
  return Math.min(aheadMs, Math.max(vouchedMs, eachMs));
}
