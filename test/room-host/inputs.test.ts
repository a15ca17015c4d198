/**
 * Rooms with defineInput(), fixed steps and rewind buffers, the same script on bare Colyseus and here, where the room moves
 * and its host dies: no input is lost, doubled or reordered, acknowledgements and tick numbers go on. A deterministic room
 * is handed over in step.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Transfer } from "@centroid/protocol";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertDeterministic } from "../../infra/room-host/dist/colyseus/deterministic.js";
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
});
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
    await expect.poll(() => this.input.pendingCount, { timeout: 30_000 }).toBe(0);
    await expect.poll(() => this.body.taken, { timeout: 30_000 }).toBe(this.sent);
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
      await expect.poll(() => player.input.pendingCount, { timeout: 30_000 }).toBe(0);
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
    await expect.poll(() => again.input.lastProcessed).toBe(7);
    expect(again.body).toMatchObject({ taken: 12, disorder: 0, held: "from the start" });
    await again.room.leave();
  });
});

/** What a player hears and sees: messages in order, and numbers of steps, each once. */
class Witness {
  readonly said: string[] = [];
  readonly ticks: number[] = [];

  constructor(room: Arena) {
    room.onMessage("said", (text: string) => void this.said.push(text));
    room.onStateChange(({ tick }) => void this.ticks.push(tick));
  }
}

/** Six players play and talk, `happens` goes on until it is content, and everybody has had everything. */
async function duel(join: () => Promise<Player>, happens: () => Promise<unknown>): Promise<object> {
  const players: Player[] = [];
  for (let count = 0; count < 6; count++) players.push(await join());
  const witnesses = players.map(({ room }) => new Witness(room));
  let playing = true;
  let said = 0;
  const played = players.map(async (player) => {
    while (playing) {
      await player.play(3);
      if (player === players[0]) player.room.send("say", `${++said}`);
    }
  });
  try {
    await happens();
  } finally {
    playing = false;
    await Promise.all(played);
  }
  const outcomes = (await Promise.all(players.map((player) => player.settled()))) as Record<
    string,
    unknown
  >[];
  await expect
    .poll(() => witnesses.map((witness) => witness.said.length), { timeout: 60_000 })
    .toEqual(players.map(() => said));
  for (const witness of witnesses) {
    expect(witness.said).toEqual(Array.from({ length: said }, (_, at) => `${at + 1}`));
    // A patch may come without a step, and never one with an older step.
    expect(witness.ticks).toEqual([...witness.ticks].sort((one, other) => one - other));
  }
  await Promise.all(players.map(({ room }) => room.leave()));
  return outcomes.map((outcome, at) => {
    const { sent } = players[at]!;
    const all = {
      taken: sent,
      last: sent,
      x: sent,
      sentCount: sent,
      lastProcessed: sent,
      consumedCount: sent,
    };
    expect(outcome).toMatchObject({ ...all, latest: { n: sent, held: "from the start" } });
    const {
      taken: _t,
      last: _l,
      x: _x,
      sentCount: _s,
      lastProcessed: _p,
      consumedCount: _c,
      ...rest
    } = outcome;
    return { ...rest, latest: undefined };
  });
}

describe("a deterministic room", () => {
  /** Moves until it has moved so: a machine that is busy may not keep up. */
  async function moveUntil(roomId: string, done: (transfer: Transfer) => boolean): Promise<Transfer> {
    for (;;) {
      const transfer = await pair.move(roomId);
      expect(transfer.stateHashAfter).toBe(transfer.stateHashBefore);
      if (done(transfer)) return transfer;
    }
  }
  const bareDuel = async (): Promise<object> => {
    const { roomId } = await new Client(bare.url).create("duel", {});
    return duel(
      () => enter(new Client(bare.url), roomId),
      () => sleep(300),
    );
  };

  it("is handed over in step while six players play, as if it had not moved", {
    timeout: 120_000,
  }, async () => {
    const roomId = await pair.create("duel");
    const here = await duel(
      () => enter(pair.client(), roomId),
      async () => {
        for (let move = 0; move < 2; move++) {
          const { inStep, phases } = await moveUntil(roomId, (it) => it.inStep?.outcome === "taken-over");
          expect(inStep).toMatchObject({ agreed: expect.any(Number), steps: expect.any(Number) });
          expect(phases.map(({ phase }) => phase)).not.toContain("frozen");
        }
      },
    );
    expect(here).toEqual(await bareDuel());
  });

  it("moves as others do if it turns out to be another at the destination", {
    timeout: 120_000,
  }, async () => {
    const roomId = await pair.create("duel", { throwsDice: true });
    const here = await duel(
      () => enter(pair.client(), roomId),
      async () => {
        const { inStep } = await moveUntil(roomId, (it) => JSON.stringify(it.inStep).includes("differed"));
        expect(inStep).toMatchObject({
          outcome: "fell-back",
          reason: expect.stringMatching(/^state differed/),
        });
      },
    );
    expect(here).toEqual(await bareDuel());
  });

  it("moves with who joins in the middle of it", { timeout: 120_000 }, async () => {
    const roomId = await pair.create("duel");
    const players: Player[] = [await enter(pair.client(), roomId)];
    const moved = pair.move(roomId);
    players.push(await enter(pair.client(), roomId));
    await moved;
    for (const player of players) {
      await player.play(5);
      expect(await player.settled()).toMatchObject({ taken: 5, disorder: 0, pendingCount: 0 });
    }
    await Promise.all(players.map(({ room }) => room.leave()));
  });

  it("is refused when it is made if it cannot be", async () => {
    await expect(pair.create("dice")).rejects.toMatchObject({
      code: "ROOM_NOT_MOVABLE",
      message: expect.stringContaining("step() uses Math.random"),
    });
    const room = (lacks: object) =>
      ({ move: { clock: { stepMs: 20 }, inputs: { api: {} }, work: { used: false }, ...lacks } }) as never;
    class Author {
      step(): void {}
    }
    assertDeterministic(room({}), Author as never);
    for (const [lacks, why] of [
      [{ clock: {} }, "no fixed steps"],
      [{ inputs: {} }, "no inputs"],
      [{ work: { used: true } }, "workers"],
    ] as const)
      expect(() => assertDeterministic(room(lacks), Author as never)).toThrow(why);
  });
});
