/** For how long a broker cannot have given a host's rooms to others, in each order in which it is heard of. */
import { expect, it } from "vitest";
import { BrokerLease } from "../../infra/agent/dist/broker-lease.js";

const LEASE_MS = 1_000;

/** Hello at 0, welcome at 10. */
function welcomed(): BrokerLease {
  const lease = new BrokerLease();
  lease.saidHello(0);
  lease.welcomed(LEASE_MS, 10);
  return lease;
}

it("begins with the first answer, and counts from when what is answered was sent (OWN-6)", () => {
  const lease = welcomed();
  expect(lease.leftMs(10)).toBe(0);
  lease.beat(10);
  lease.beat(300);
  lease.heard();
  expect([lease.leftMs(900), lease.vouchedLeftMs(900)]).toEqual([110, 110]);
  lease.heard();
  expect([lease.leftMs(900), lease.leftMs(1_300)]).toEqual([400, 0]);
});

it("is not renewed by an answer to what an earlier connection was asked, nor by one too many", () => {
  const lease = welcomed();
  lease.beat(10);
  lease.dialled();
  lease.heard();
  expect(lease.leftMs(10)).toBe(0);
});

it("vouches for other brokers as long as the answer says, at most for a lease (OWN-12)", () => {
  const lease = welcomed();
  lease.beat(100);
  lease.heard(200);
  expect([lease.leftMs(100), lease.vouchedLeftMs(100)]).toEqual([LEASE_MS, 200]);
  lease.beat(200);
  lease.heard(9_000);
  expect(lease.vouchedLeftMs(200)).toBe(LEASE_MS);
});

it("counts the silence anew from each hello: what was left, or that nobody was there, is no more than a lease then", () => {
  const lease = welcomed();
  lease.absent(2_000);
  expect([lease.absenceLeftMs(2_400), lease.wasAbsentSince(2_000), lease.wasAbsentSince(2_001)]).toEqual([
    ...[2_000, true, false],
  ]);
  lease.saidHello(2_400);
  expect([lease.absenceLeftMs(2_400), lease.leftMs(2_400)]).toEqual([0, LEASE_MS]);
  // One that lasts goes on from the hello, of whatever length the new welcome says; one that is over does not.
  lease.welcomed(300, 2_500);
  expect(lease.leftMs(2_500)).toBe(200);
  lease.saidHello(4_000);
  lease.welcomed(300, 4_100);
  expect(lease.leftMs(4_100)).toBe(0);
});

it("gives nothing for an absence before the first welcome", () => {
  const lease = new BrokerLease();
  lease.absent(0);
  lease.saidHello(100);
  expect([lease.leaseMs, lease.leftMs(100)]).toEqual([0, 0]);
});

it("lasts as long as a broker that ends says, from its last answer on, and for all brokers (OWN-9)", () => {
  const lease = welcomed();
  lease.beat(100);
  lease.heard(0);
  lease.goodbye(60_000);
  expect([lease.leftMs(100), lease.vouchedLeftMs(100)]).toEqual([60_000, 60_000]);
});
