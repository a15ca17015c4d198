/** A stream of a trunk over any interleaving of sends, deliveries, cuts and new connections, in both directions. */
import { Channel } from "@centroid/protocol/trunk";
import fc from "fast-check";
import { expect, it } from "vitest";

type Frame = { type: "data"; bytes: Uint8Array } | { type: "ack"; received: number };

/** One end with what the other has sent to it over the connection of now. */
class End {
  readonly channel = new Channel();
  readonly said: number[] = [];
  readonly got: number[] = [];
  /** On its way to this end. */
  inbox: Frame[] = [];
  slow = false;

  constructor(readonly other: () => End) {}

  readonly write = (bytes: Uint8Array): void => void this.other().inbox.push({ type: "data", bytes });

  say(bytes: number): void {
    const frame = Buffer.alloc(Math.max(4, bytes));
    frame.writeUInt32LE(this.said.length + 1);
    this.said.push(this.said.length + 1);
    expect(this.channel.send(frame)).toBe(true);
  }

  /** Takes the next frame in. */
  take(): void {
    const frame = this.inbox.shift();
    if (frame === undefined) return;
    if (frame.type === "ack") expect(this.channel.acknowledge(frame.received)).toBe(true);
    else {
      this.channel.take(frame.bytes.byteLength);
      this.got.push(Buffer.from(frame.bytes).readUInt32LE(0));
      this.confirm();
    }
  }

  confirm(): void {
    const received = this.slow ? undefined : this.channel.dueAck();
    if (received !== undefined) this.other().inbox.push({ type: "ack", received });
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ at: fc.constantFrom(0, 1), say: fc.integer({ min: 4, max: 100_000 }) }),
  },
  { weight: 6, arbitrary: fc.record({ at: fc.constantFrom(0, 1), take: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ at: fc.constantFrom(0, 1), slow: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ cut: true as const }) },
  { weight: 2, arbitrary: fc.constant({ connect: true as const }) },
);

it("delivers everything once and in order, and never has more on the way than its window", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const a: End = new End(() => b);
      const b: End = new End(() => a);
      const ends = [a, b] as const;
      const connect = (): void => {
        a.inbox = [];
        b.inbox = [];
        expect(a.channel.attach(b.channel.received, a.write)).toBe(true);
        expect(b.channel.attach(a.channel.received, b.write)).toBe(true);
      };
      connect();
      for (const what of steps) {
        if ("cut" in what) {
          for (const end of ends) {
            end.channel.detach();
            end.inbox = [];
          }
        } else if ("connect" in what) {
          if (!a.channel.attached) connect();
        } else {
          const end = ends[what.at as 0 | 1];
          if ("say" in what) end.say(what.say);
          else if ("take" in what) for (let taken = 0; taken < what.take; taken++) end.take();
          else {
            end.slow = what.slow;
            end.confirm();
          }
        }
        for (const { inbox } of ends) {
          const bytes = inbox.reduce(
            (sum, frame) => sum + (frame.type === "data" ? frame.bytes.byteLength : 0),
            0,
          );
          expect(bytes).toBeLessThan(256 * 1024 + 100_000);
        }
      }
      for (const end of ends) end.slow = false;
      connect();
      while (a.inbox.length + b.inbox.length > 0) {
        a.take();
        b.take();
      }
      expect(b.got).toEqual(a.said);
      expect(a.got).toEqual(b.said);
    }),
    { numRuns: 300 },
  );
});

it("refuses counters that cannot be, and more than it may keep", () => {
  const channel = new Channel();
  channel.send(Buffer.alloc(4));
  expect(channel.acknowledge(2)).toBe(false);
  expect(channel.attach(1, () => undefined)).toBe(true);
  // What was confirmed is forgotten: nobody can go on before it.
  expect(channel.attach(0, () => undefined)).toBe(false);
  channel.detach();
  let kept = 0;
  while (channel.send(Buffer.alloc(1024 * 1024))) kept++;
  expect(kept).toBe(9);
});
