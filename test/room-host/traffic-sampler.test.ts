/** What passes between a room and each player, from the counters of its connections alone. */
import { MAX_TOLD_PLAYERS, roomTrafficSchema } from "@centroid/protocol";
import { expect, it } from "vitest";
import { TrafficSampler } from "../../infra/room-host/dist/rooms/traffic-sampler.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";

const SAMPLE_MS = 500;
const PATCHES_PER_SAMPLE = 10;
const REPORT_SAMPLES = 10;

/** A room of so many players, with the counters that it had at another host. */
function roomOf(players: number, weights?: "equal") {
  class Arena {
    static weights = weights;
    patchRate: number | null = SAMPLE_MS / PATCHES_PER_SAMPLE;
    clients = Array.from({ length: players }, (_, i) => ({
      sessionId: `s${i}`,
      link: new SessionLink(true, { sent: 1_000_000, received: 5_000 * i }),
    }));
  }
  const room = new Arena();
  const traffic = new TrafficSampler(room as never, SAMPLE_MS);
  /** Everybody is sent `sent` frames per sample and says `says(i)`. */
  const report = (says: (i: number) => number, sent: (i: number) => number = () => 10) => {
    for (let sample = 0; sample < REPORT_SAMPLES; sample++) {
      room.clients.forEach(({ link }, i) => {
        link.received += says(i);
        link.sent += sent(i);
      });
      traffic.sample();
    }
    return traffic.take();
  };
  traffic.sample();
  traffic.take();
  return { room, report };
}

it("is told by player where one says more than the others, as the protocol has it", () => {
  const { report } = roomOf(3);
  const told = report((i) => (i === 1 ? 5 : 0));
  expect(roomTrafficSchema.parse(told)).toEqual(told);
  expect(told?.told).toEqual([
    { sessionId: "s1", says: 10, sees: 20 },
    { sessionId: "s0", says: 0, sees: 20 },
    { sessionId: "s2", says: 0, sees: 20 },
  ]);
});

it("counts no more of a flood than the room's patches can show", () => {
  const flood = roomOf(2).report((i) => (i === 0 ? 100_000 : 1));
  expect(flood?.told[0]).toEqual({ sessionId: "s0", says: 20, sees: 20 });
});

it("counts nothing that nobody else can see", () => {
  const { report } = roomOf(3);
  expect(
    report(
      (i) => (i === 0 ? 9 : 0),
      (i) => (i === 0 ? 9 : 0),
    )?.told[0],
  ).toMatchObject({ says: 0, sees: 18 });
});

it("names those who say most of a large room, and the others in the mean", () => {
  const told = roomOf(100).report((i) => (i < 40 ? 4 : 1));
  expect(told?.told).toHaveLength(MAX_TOLD_PLAYERS);
  expect(told?.others.says).toBeCloseTo((2 * (8 * 4 + 60)) / 68);
});

it("is told for a while when all are alike again, then no more; and of a room that wants it so as if they were", () => {
  for (const { report } of [roomOf(4), roomOf(4, "equal")]) {
    report((i) => i);
    let last = report(() => 2);
    let reports = 1;
    while (last !== undefined && reports < 100) {
      expect(last.told).toEqual([]);
      last = report(() => 2);
      reports++;
    }
    expect(reports).toBeGreaterThan(20);
    expect(reports).toBeLessThan(30);
  }
  expect(roomOf(4, "equal").report((i) => i * 3)?.told).toEqual([]);
  expect(roomOf(1).report(() => 3)).toBeUndefined();
});
