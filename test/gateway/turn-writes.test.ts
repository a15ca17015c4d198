/** What one turn of the event loop has for a socket leaves in one write: to players, and between gateway and room host. */
import { Duplex } from "node:stream";
import { COMPARE_QUERY, CONTROL_QUERY } from "@centroid/protocol";
import { readTrunkPack, TrunkPacker } from "@centroid/protocol/trunk";
import { describe, expect, it } from "vitest";
import { HeldSession } from "../../infra/gateway/dist/sessions/held-session.js";
import { PlayerSocket } from "../../infra/gateway/dist/sessions/player-socket.js";
import { TurnEnd } from "../../infra/gateway/dist/sessions/turn-end.js";

/** Runs what waits for the turn's end. */
class Turn {
  readonly #waiting: (() => void)[] = [];
  readonly after = (then: () => void): void => void this.#waiting.push(then);

  end(): void {
    for (const then of this.#waiting.splice(0)) then();
  }
}

describe("a player's socket", () => {
  function player(head = Buffer.alloc(0)) {
    const turn = new Turn();
    const written: Buffer[] = [];
    const seen: (string | number | boolean)[] = [];
    let stuck = false;
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk);
        if (!stuck) done();
      },
    });
    const socket = new PlayerSocket(stream, head, new TurnEnd(turn.after), {
      frame: (data) => void seen.push(data.toString()),
      slow: (slow) => void seen.push(slow),
      measured: (rttMs) => void seen.push(rttMs >= 0 ? "measured" : "wrong"),
      closed: (code) => void seen.push(code),
    });
    const stick = (): void => {
      stuck = true;
    };
    return { turn, written, seen, stream, socket, stick };
  }

  it("is written to once in a turn, each frame with its own head", () => {
    const { turn, written, socket } = player();
    const sizes = [1, 125, 126, 4_000];
    for (const size of sizes) socket.send(Buffer.alloc(size, size));
    expect(written).toEqual([]);
    turn.end();
    expect(written.length).toBe(1);
    expect(written[0]?.byteLength).toBe(sizes.reduce((sum, size) => sum + size + (size < 126 ? 2 : 4), 0));
    socket.send(Buffer.alloc(70_000, 7));
    turn.end();
    expect(written.slice(1).map(({ byteLength }) => byteLength)).toEqual([10, 70_000]);
  });

  it("that does not answer from one check to the next is closed", async () => {
    const { socket, stream, seen, written } = player();
    socket.check();
    expect(written).toEqual([Buffer.from([0x89, 1, 1])]);
    // Its answer, twice, and one that nobody asked for.
    const pong = (number: number) => Buffer.from([0x8a, 0x81, 0, 0, 0, 0, number]);
    stream.push(Buffer.concat([pong(7), pong(1), pong(1), Buffer.from([0x8a, 0x80, 0, 0, 0, 0])]));
    await new Promise(setImmediate);
    expect(seen.splice(0)).toEqual(["measured"]);
    socket.check();
    expect(stream.destroyed).toBe(false);
    socket.check();
    await new Promise(setImmediate);
    expect(stream.destroyed).toBe(true);
    expect(seen).toEqual([1006]);
  });

  it("says when its player reads too slowly, and hears what came with the request", async () => {
    const { turn, socket, stick, seen } = player(Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    await new Promise(setImmediate);
    stick();
    socket.send(Buffer.alloc(300_000));
    turn.end();
    expect(seen).toEqual(["hi", true]);
    socket.close(1006, "");
    await new Promise(setImmediate);
    expect(seen).toEqual(["hi", true, 1006]);
  });
});

it("a room host is asked for no digests of the state by who cannot compare them", () => {
  const dialled: string[] = [];
  const dial = (url: string): object => {
    dialled.push(url);
    return { readyState: 0, send: () => undefined, close: () => undefined };
  };
  new HeldSession({
    open: () => ({ send: () => undefined, close: () => undefined, check: () => undefined }) as never,
    url: "ws://gateway/p/r?sessionId=s",
    ...{ roomId: "r", sessionId: "s", route: { epoch: 1 } as never, directory: {} as never },
    asker: { address: "192.0.2.1", headers: {}, passed: false },
    dialer: { dial } as never,
    onMeasured: () => undefined,
  });
  const [query] = dialled.map((url) => new URL(url).searchParams);
  expect([query?.has(CONTROL_QUERY), query?.has(COMPARE_QUERY)]).toEqual([true, false]);
});

it("a trunk's frames of one turn are one message, in order, until that is full", () => {
  const turn = new Turn();
  const packs: Buffer[] = [];
  const packer = new TrunkPacker((pack) => void packs.push(pack), turn.after);
  const read = (): (string | number)[] => {
    const seen: (string | number)[] = [];
    for (const pack of packs.splice(0))
      readTrunkPack(pack, {
        data: (stream, data) => void seen.push(stream, data.byteLength),
        frame: (frame) => void seen.push(frame.type),
      });
    return seen;
  };
  packer.counted(1, Buffer.alloc(30));
  packer.say({ type: "ack", stream: 1, received: 7 });
  packer.counted(2, Buffer.alloc(0));
  packer.counted(1, Buffer.alloc(40));
  expect(packs).toEqual([]);
  turn.end();
  expect(packs.length).toBe(1);
  expect(read()).toEqual([1, 30, "ack", 2, 0, 1, 40]);
  turn.end();
  expect(packs).toEqual([]);
  // A patch for each of a room's players, none of which a first pack has room for twice.
  const patches = Array.from({ length: 20 }, () => 289);
  for (let round = 0; round < 2; round++) {
    for (const size of patches) packer.counted(3, Buffer.alloc(size));
    turn.end();
    expect(packs.length).toBe(1);
    expect(read()).toEqual(patches.flatMap((size) => [3, size]));
  }
  const sizes = [10, 1_000, 200_000, 5, 60_000, 60_000];
  for (const size of sizes) packer.counted(3, Buffer.alloc(size));
  turn.end();
  expect(packs.length).toBeLessThan(sizes.length);
  expect(read()).toEqual(sizes.flatMap((size) => [3, size]));
});
