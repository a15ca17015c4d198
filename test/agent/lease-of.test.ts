/** For how long a host may run its rooms, whatever its brokers have said: one table. */
import { expect, it } from "vitest";
import { type BrokerTerms, leaseOf } from "../../infra/agent/dist/lease-of.js";

/** What a broker has said, ms that are left of each; 1,000 is a whole lease. */
const broker = (own: number, vouched = 0, absent = 0, leaseMs = 1_000): BrokerTerms => ({
  leaseMs,
  leaseLeftMs: () => own,
  vouchedLeftMs: () => vouched,
  absenceLeftMs: () => absent,
});
const answers = broker(900, 900);
const alone = broker(900);
const silent = broker(0);
const ended = broker(0, 0, 2_000);

it.each<[what: string, brokers: BrokerTerms[], runs: number, lapsed: number]>([
  ["its only broker answers", [answers], 900, 900],
  ["one answers for all, another cannot be reached", [answers, silent], 900, 900],
  ["one answers for all, another has ended", [answers, ended], 900, 900],
  ["one is cut off from the others and answers, another cannot be reached", [alone, silent], 0, 0],
  ["all are cut off from each other, and all answer: the store is away", [alone, alone, alone], 900, 900],
  [
    "one of those has ended: it may have given rooms away before, if the lease was over",
    [alone, ended],
    900,
    0,
  ],
  ["all have ended", [ended, ended], 1_000, 0],
  ["one has ended, another cannot be reached", [ended, silent], 0, 0],
  ["it has never been welcomed", [broker(0, 0, 2_000, 0)], 0, 0],
])("%s (OWN-12)", (_what, brokers, runs, lapsed) => {
  expect([leaseOf(brokers, 0, false), leaseOf(brokers, 0, true)]).toEqual([runs, lapsed]);
});
