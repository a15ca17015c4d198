/**
 * Rooms with defineInput(), fixed steps and rewind buffers, the same script on bare Colyseus and here, where the room moves
 * and its host dies: no input is lost, doubled or reordered, acknowledgements and tick numbers go on.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BareColyseus, startBareColyseus } from "../support/bare-colyseus.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const ROOMS = join(import.meta.dirname, "../fixtures/input-rooms");
/** A client of either SDK. */
interface Joins {
  joinById(roomId: string): Promise<unknown>;
}

/** As the arena steps. */
const STEP_MS = 1000 / 60;

interface Body {
  x: number;
  taken: number;
  last: number;
  disorder: number;
  held: string;
}
interface ArenaState {
  tick: number;
  gaps: number;
  ground: { bodies: Map<string, Body> };
}
type Arena = Room<unknown, ArenaState>;
interface Look {
  size: number;
  consumedCount: number;
  sinceRenderedMs: number;
  latest: { n: number; held: string };
  nowMs: number;
  x: number;
  xThen: number;
}

let bare: BareColyseus;
let pair: PairOfHosts;
beforeAll(async () => {
  bare = await startBareColyseus(ROOMS);
  pair = await PairOfHosts.start(ROOMS, 0, 0, 200);
}, 30_000);
afterAll(async () => {
  await bare[Symbol.asyncDispose]();
  await pair[Symbol.asyncDispose]();
});

/** Sends numbered inputs; what it holds from the start is on the wire in the first one only. */
class Player {
  readonly room: Arena;
  readonly input;
  sent = 0;

  constructor(room: Arena, mode: "reliable" | "unreliable" = "reliable") {
    this.room = room;
    this.input = room.input<{ n: number; dx: number; held: string }>({ mode });
    this.input.data.held = "from the start";
    this.input.data.dx = 1;
  }

  send(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.input.data.n = ++this.sent;
      this.input.send();
    }
  }

  /** As a page does: one per step. */
  async play(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      this.send();
      await sleep(STEP_MS);
    }
  }

  get body(): Body {
    return this.room.state.ground.bodies.get(this.room.sessionId)!;
  }

  look(atMs = 0): Promise<Look> {
    return this.room.request("look", { atMs }) as Promise<Look>;
  }

  /** Until the room has taken all that was sent, and this client knows. */
  async settled(): Promise<object> {
    await expect.poll(() => this.input.pendingCount, { timeout: 15_000 }).toBe(0);
    await expect.poll(() => this.body.taken, { timeout: 15_000 }).toBe(this.sent);
    const { gaps } = this.room.state;
    const { taken, last, disorder, held, x } = this.body;
    const { sentCount, lastProcessed, pendingCount } = this.input;
    const { size, consumedCount, latest } = await this.look();
    return {
      gaps,
      taken,
      last,
      disorder,
      held,
      x,
      sentCount,
      lastProcessed,
      pendingCount,
      size,
      consumedCount,
      latest,
    };
  }
}

const enter = async (client: Joins, roomId: string, mode?: "unreliable"): Promise<Player> => {
  const room = (await client.joinById(roomId)) as Arena;
  await expect.poll(() => room.state?.ground?.bodies?.get(room.sessionId)).toBeDefined();
  return new Player(room, mode);
};

/** Two players play, something happens to the room, they go on. */
async function script(
  clients: [Joins, Joins],
  roomId: string,
  happens: (roomId: string) => Promise<unknown>,
  mode?: "unreliable",
): Promise<object[]> {
  const players = [await enter(clients[0], roomId, mode), await enter(clients[1], roomId, mode)];
  for (let round = 0; round < 3; round++) {
    const played = players.map((player) => player.play(15));
    await sleep(100);
    await happens(roomId);
    await Promise.all(played);
  }
  const outcome = await Promise.all(players.map((player) => player.settled()));
  await Promise.all(players.map(({ room }) => room.leave()));
  return outcome;
}

const outcomes = new Map<string, Promise<object[]>>();
/** The same there, where nothing happens to the room. */
function onBare(options: object, mode?: "unreliable"): Promise<object[]> {
  const run = async (): Promise<object[]> => {
    const { roomId } = await new Client(bare.url).create("arena", options);
    return script([new Client(bare.url), new Client(bare.url)], roomId, async () => undefined, mode);
  };
  const key = JSON.stringify([options, mode]);
  const outcome = outcomes.get(key) ?? run();
  outcomes.set(key, outcome);
  return outcome;
}

function once(run: (roomId: string) => Promise<unknown>): (roomId: string) => Promise<unknown> {
  let first: Promise<unknown> | undefined;
  return (roomId) => {
    first ??= run(roomId);
    return first;
  };
}

const clients = (): [Joins, Joins] => [pair.client(), pair.client()];

describe("rooms with defineInput()", () => {
  it.each([["one"], ["all"]])("move as on bare Colyseus, taking %s at each step", async (takes) => {
    const roomId = await pair.create("arena", { takes });
    const here = await script(clients(), roomId, (id) => pair.move(id));
    expect(here).toEqual(await onBare({ takes }));
  });

  it("move with unreliable input, which has numbers of its own", async () => {
    const roomId = await pair.create("arena");
    const here = await script(clients(), roomId, (id) => pair.move(id), "unreliable");
    expect(here).toEqual(await onBare({}, "unreliable"));
  });

  it("move with inputs that wait, what their buffer dropped, and what is held down", async () => {
    const outcome = async (client: Joins, roomId: string, happens: () => Promise<unknown>) => {
      const player = await enter(client, roomId);
      player.send(40);
      await expect.poll(() => player.input.lastProcessed).toBe(8);
      await happens();
      const { size, consumedCount, latest } = await player.look();
      player.room.send("takes", "one");
      await expect.poll(() => player.input.pendingCount, { timeout: 15_000 }).toBe(0);
      const { taken, last, held } = player.body;
      await player.room.leave();
      return { size, consumedCount, latest, taken, last, held };
    };
    const roomId = await pair.create("arena", { takes: "none" });
    const here = await outcome(pair.client(), roomId, () => pair.move(roomId));
    const made = await new Client(bare.url).create("arena", { takes: "none" });
    expect(here).toEqual(await outcome(new Client(bare.url), made.roomId, async () => undefined));
    expect(here).toMatchObject({ size: 32, taken: 32, held: "from the start" });
  });

  it.each([["checkpoint"], ["standby"]] as const)("go on from a %s when their host dies", async (from) => {
    const roomId = await pair.create("arena");
    const lost = once(async (id) => {
      if (from === "standby") await pair.keepStandby(id);
      else await pair.saved(id);
      await pair.lose(id, from);
    });
    expect(await script(clients(), roomId, lost)).toEqual(await onBare({ takes: "one" }));
  });

  it("keep their rewind buffers and the time that inputs are stamped with", async () => {
    const roomId = await pair.create("arena");
    const player = await enter(pair.client(), roomId);
    const { nowMs: beganAtMs } = await player.look();
    await player.play(30);
    await player.settled();
    const { nowMs: endedAtMs } = await player.look();
    const middleMs = (beganAtMs + endedAtMs) / 2;
    const before = await player.look(middleMs);
    expect(before.xThen).toBeGreaterThan(0);
    await pair.move(roomId);
    // What it was then does not depend on where the room is now, and new samples are kept beside it.
    expect((await player.look(middleMs)).xThen).toBe(before.xThen);
    await player.play(20);
    await player.settled();
    const after = await player.look(endedAtMs);
    expect(after).toMatchObject({ x: 50, xThen: 30 });
    expect(after.sinceRenderedMs).toBeLessThan(after.nowMs - endedAtMs + 1_000);
    expect((await player.look(middleMs)).xThen).toBe(before.xThen);
    await player.room.leave();
  });

  it("start a client's input anew when it comes back, as Colyseus does", async () => {
    const roomId = await pair.create("arena");
    const player = await enter(new Client(pair.url), roomId);
    player.send(5);
    await expect.poll(() => player.input.lastProcessed).toBe(5);
    await pair.saved(roomId);
    const token = player.room.reconnectionToken;
    player.room.reconnection.enabled = false;
    const left = new Promise((resolve) => player.room.onLeave(resolve));
    await pair.lose(roomId, "checkpoint");
    await left;
    const again = new Player((await new Client(pair.url).reconnect(token)) as Arena);
    again.sent = 5;
    again.send(7);
    await expect.poll(() => again.input.lastProcessed, { timeout: 10_000 }).toBe(7);
    expect(again.body).toMatchObject({ taken: 12, disorder: 0, held: "from the start" });
    await again.room.leave();
  });
});
