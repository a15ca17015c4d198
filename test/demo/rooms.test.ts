/** The demo rooms on real room hosts: they count exactly, refuse nonsense, and survive a move unchanged. */

import { DEMO_ROOMS_DIR, mixChecksum } from "@centroid/demo";
import type { CentroidRoom } from "@centroid/sdk";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectedChecksum as botMix } from "../../client/bots/dist/measure/checksum.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

interface Books {
  last: number;
  received: number;
  missing: number;
  duplicated: number;
  reordered: number;
  checksum: number;
}
interface ArenaView {
  elapsedMs: number;
  target: { x: number; y: number };
  players: Map<string, { x: number; y: number; shots: number; hits: number; score: number; ledger: Books }>;
  broadcasts: number;
}
interface ThingView {
  heldBy: string;
  hand: string;
  transform: { x: number; y: number; z: number };
}
interface PlazaView {
  avatars: Map<
    string,
    { head: { x: number; y: number }; left: { x: number; y: number; z: number }; ledger: Books }
  >;
  things: Map<string, ThingView>;
  broadcasts: number;
}

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start(DEMO_ROOMS_DIR);
});
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
});

/** Resolves when the room's state satisfies the condition. */
function until<S>(room: CentroidRoom<S>, holds: (state: S) => boolean | undefined): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      // Before the first full state the object is there without its fields.
      if (Object.keys(room.state ?? {}).length > 0 && holds(room.state)) resolve();
    };
    room.onStateChange(check);
    check();
  });
}

async function enterRoom<S>(type: string): Promise<CentroidRoom<S>> {
  return pair.client().joinById<S>(await pair.create(type));
}

test("bots and rooms compute the same checksum", () => {
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(uint32, uint32, uint32, (c, n, nonce) => botMix(c, n, nonce) === mixChecksum(c, n, nonce)),
  );
});

describe("arena", () => {
  test("keeps exact books of numbered messages, also across moves", async () => {
    const room = await enterRoom<ArenaView>("arena");
    const books = () => room.state.players.get(room.sessionId)?.ledger;
    let checksum = 0;
    const say = (n: number) => {
      checksum = mixChecksum(checksum, n, 7 * n);
      room.send("input", { n, nonce: 7 * n, x: n, y: 0 });
    };
    for (const n of [1, 2, 5, 5, 3]) say(n);
    await until(room, () => books()?.received === 5);
    expect(books()).toMatchObject({ last: 5, missing: 1, duplicated: 1, reordered: 1, checksum });

    await pair.move(room.roomId);
    // 4 was missing before the move: only what onFreeze carried can tell that it is late and not new.
    say(4);
    for (const n of [6, 7]) say(n);
    await until(room, () => books()?.received === 8);
    expect(books()).toMatchObject({ last: 7, missing: 0, duplicated: 1, reordered: 2, checksum });
    await room.leave();
  });

  test("the target moves on without a jump, shots are numbered and judged", async () => {
    const room = await enterRoom<ArenaView>("arena");
    const shots: { n: number; hit: boolean }[] = [];
    const judged = new Promise<void>((resolve) => {
      room.onMessage("shot", (shot: { n: number; hit: boolean }) => {
        shots.push(shot);
        if (shots.length === 3) resolve();
      });
    });
    await until(room, (state) => state.target !== undefined && state.players.has(room.sessionId));
    const fire = (n: number, x: number, y: number) => room.send("input", { n, nonce: 0, x, y, fire: true });
    fire(1, room.state.target.x, room.state.target.y);
    fire(2, 900, 900);
    await until(room, (state) => state.broadcasts === 2);
    const before = room.state.elapsedMs;
    await pair.move(room.roomId);
    await until(room, (state) => state.elapsedMs > before);
    expect(room.state.elapsedMs - before).toBeLessThan(5_000);
    fire(3, -900, 0);
    await judged;
    await until(room, (state) => state.players.get(room.sessionId)?.shots === 3);
    expect(shots.map(({ n, hit }) => [n, hit])).toEqual([
      [1, true],
      [2, false],
      [3, false],
    ]);
    const player = room.state.players.get(room.sessionId);
    expect(player).toMatchObject({ hits: 1, score: 10 });
    await room.leave();
  });

  test.each([
    ["an empty message", {}],
    ["a number that is not one", { n: 1, nonce: 0, x: Number.NaN, y: 0 }],
    ["a negative number", { n: -1, nonce: 0, x: 0, y: 0 }],
    ["text", "text"],
    ["nothing", null],
  ])("%s costs its sender the seat and nobody else anything", async (_, message) => {
    const room = await enterRoom<ArenaView>("arena");
    const rude = await pair.client().joinById<ArenaView>(room.roomId);
    rude.onError(() => undefined);
    rude.reconnection.enabled = false;
    await until(room, (state) => state.players.size === 2);
    const left = new Promise<void>((resolve) => rude.onLeave(() => resolve()));
    rude.send("input", message);
    await left;
    await until(room, (state) => state.players.size === 1);
    room.send("input", { n: 1, nonce: 1, x: 3, y: 4 });
    await until(room, (state) => state.players.get(room.sessionId)?.x === 3);
    expect(room.state.players.get(room.sessionId)?.ledger).toMatchObject({ received: 1, last: 1 });
    await room.leave();
  });
});

describe("plaza", () => {
  test("a thing is held by one hand, follows it across a move, and is let go by whoever leaves", async () => {
    const room = await enterRoom<PlazaView>("plaza");
    const other = await pair.client().joinById<PlazaView>(room.roomId);
    await until(room, (state) => state.things?.size > 0 && state.avatars.size === 2);
    const thing = () => room.state.things.get("ball");
    const { x, y, z } = thing()!.transform;
    const at = (px: number, py: number, pz: number) => [px, py, pz, 0, 0, 0, 1];
    const pose = (n: number, hand: number[]) => ({
      n,
      nonce: n,
      head: at(0, 1.6, 0),
      left: hand,
      right: at(9, 9, 9),
    });

    room.send("grab", { objectId: "ball", hand: "right" });
    room.send("pose", pose(1, at(x, y, z)));
    room.send("grab", { objectId: "ball", hand: "left" });
    await until(room, () => thing()?.heldBy === room.sessionId);
    expect(thing()?.hand).toBe("left");
    other.send("pose", pose(1, at(x, y, z)));
    other.send("grab", { objectId: "ball", hand: "left" });
    await until(room, (state) => state.avatars.get(other.sessionId)?.ledger.last === 1);

    await pair.move(room.roomId);
    room.send("pose", pose(2, at(4, 5, 6)));
    await until(room, () => thing()?.transform.x === 4);
    expect(thing()?.heldBy).toBe(room.sessionId);

    await room.leave();
    await until(other, (state) => state.avatars.size === 1);
    expect(other.state.things.get("ball")?.heldBy).toBe("");
    await other.leave();
  });
});
