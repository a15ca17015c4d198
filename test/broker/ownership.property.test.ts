/**
 * Whatever happens in whatever order: every room has one owner, the broker knows which, nobody who is connected
 * is forgotten, and no move stays open.
 */

import { MemoryStore } from "@centroid/broker";
import type { AgentRequest } from "@centroid/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { FakeAgent } from "./support/fake-agent.js";
import { until, World } from "./support/world.js";

const HOSTS = ["a", "b", "c"];
const STEPS = ["begun", "copied", "shipped", "accepted", "released"] as const;
type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;

const host = fc.constantFrom(...HOSTS);
const index = fc.nat(5);
/** What goes wrong with a move, if anything: nothing, an error, or one side cut off for a while. */
const fault = fc.record({
  step: fc.constantFrom(...STEPS),
  what: fc.constantFrom("none", "none", "error", "cut-source", "cut-destination", "crash-destination"),
});
const command = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant("create" as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("join" as const), index }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave" as const), index }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("move" as const), index, host, fault }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("cut" as const), host }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("crash" as const), host }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const) }) },
);
const script = fc.array(fc.record({ command, wait: fc.boolean() }), { minLength: 5, maxLength: 25 });

type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

class Scenario {
  readonly store = new MemoryStore();
  world!: World;
  readonly roomIds: string[] = [];
  /** Sessions that connected and did not leave. */
  readonly connected = new Map<string, string>();

  async start(): Promise<void> {
    this.world = await World.start([], {
      store: this.store,
      lostAfterMs: 150,
      heartbeatIntervalMs: 20,
      forgetAfterMs: 60_000,
      migration: { deadlineMs: 1_000, prepareMs: 500, reportWindowMs: 5, settleRetryMs: 5 },
    });
    for (const hostId of HOSTS) await this.world.host(hostId);
  }

  async run(command: Command): Promise<void> {
    const { world } = this;
    switch (command.type) {
      case "create":
        this.#seated(await world.match("create", "arena"));
        return;
      case "join": {
        const roomId = this.roomIds[command.index];
        if (roomId !== undefined) this.#seated(await world.match("joinById", roomId));
        return;
      }
      case "leave": {
        const [sessionId, roomId] = [...this.connected][command.index] ?? [];
        const owner = roomId === undefined ? undefined : this.#ownersOf(roomId)[0];
        if (sessionId === undefined || roomId === undefined || owner === undefined) return;
        owner.leave(roomId, sessionId);
        this.connected.delete(sessionId);
        return;
      }
      case "move": {
        const roomId = this.roomIds[command.index];
        if (roomId === undefined) return;
        for (const agent of world.net.values()) this.#plan(agent, command.host, command.fault);
        await world.move(roomId, command.host);
        return;
      }
      case "cut":
        await this.#cut(world.agent(command.host));
        return;
      case "crash":
        world.agent(command.host).crash();
        await world.agent(command.host).connect(world.broker.url);
        return;
      case "restart":
        await world.restart();
        await Promise.all([...world.net.values()].map((agent) => this.#back(agent)));
        return;
    }
  }

  #plan(agent: FakeAgent, to: string, { step, what }: { step: string; what: string }): void {
    agent.scripts.set("migrateOut", (request) =>
      agent.migrateOut(request as MigrateOut, async (now) => {
        if (now !== step) return;
        const there = this.world.agent(to);
        if (what === "error") throw new Error("broke");
        if (what === "cut-source") void this.#cut(agent);
        if (what === "cut-destination") void this.#cut(there);
        if (what === "crash-destination") {
          there.crash();
          void this.#back(there);
        }
      }),
    );
  }

  async #cut(agent: FakeAgent): Promise<void> {
    agent.disconnect();
    await this.#back(agent);
  }

  async #back(agent: FakeAgent): Promise<void> {
    agent.disconnect();
    // A refusal means that it is connected already, by another cut at the same time.
    await agent.connect(this.world.broker.url).catch(() => undefined);
    agent.refused = undefined;
  }

  #seated({ roomId, sessionId }: { roomId: string; sessionId: string }): void {
    if (!this.roomIds.includes(roomId)) this.roomIds.push(roomId);
    const owner = this.#ownersOf(roomId).find((agent) => agent.rooms.get(roomId)?.seats.has(sessionId));
    if (owner === undefined) return;
    owner.join(roomId, sessionId);
    this.connected.set(sessionId, roomId);
  }

  #ownersOf(roomId: string): FakeAgent[] {
    return [...this.world.net.values()].filter((agent) =>
      ["owner", "leaving"].includes(agent.rooms.get(roomId)?.role ?? ""),
    );
  }

  /** Everybody connected, nothing under way. */
  async quiet(): Promise<void> {
    for (const agent of this.world.net.values()) {
      agent.scripts.clear();
      await this.#back(agent);
    }
    await this.world.broker.ready;
    await until(async () => {
      if ((await this.store.openMigrations()).length > 0) return false;
      return JSON.stringify(this.broker()) === JSON.stringify(this.hosts());
    }).catch(() => undefined);
  }

  /** Rooms as the hosts have them, passive ones too: none may be left over. */
  hosts() {
    return [...this.world.net.values()]
      .flatMap((agent) =>
        [...agent.rooms.values()].map(({ roomId, epoch, role, sessions }) => ({
          roomId,
          hostId: agent.hostId,
          epoch,
          state: role === "owner" ? "running" : role,
          sessions: [...sessions.keys()].sort(),
        })),
      )
      .sort((x, y) => (x.roomId + x.hostId < y.roomId + y.hostId ? -1 : 1));
  }

  /** The same as the broker has it. */
  broker() {
    const { rooms, players } = this.world.broker.events.snapshot();
    return rooms
      .map(({ roomId, hostId, epoch, state }) => ({
        roomId,
        hostId,
        epoch,
        state: state as string,
        sessions: players
          .filter((player) => player.roomId === roomId)
          .map(({ sessionId }) => sessionId)
          .sort(),
      }))
      .sort((x, y) => (x.roomId + x.hostId < y.roomId + y.hostId ? -1 : 1));
  }
}

it("one owner, no seat lost, no move left open (OWN-1)", async () => {
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const scenario = new Scenario();
      await scenario.start();
      await using _ = scenario.world;
      const running: Promise<unknown>[] = [];
      for (const { command, wait } of steps) {
        // Commands may be refused (a room that is gone, a second move): what counts is what is left.
        const done = scenario.run(command).catch(() => undefined);
        running.push(done);
        if (wait) await done;
      }
      await Promise.all(running);
      await scenario.quiet();
      expect(scenario.broker()).toEqual(scenario.hosts());
      expect(await scenario.store.openMigrations()).toEqual([]);
      const there = new Set(scenario.hosts().flatMap(({ sessions }) => sessions));
      const rooms = new Set(scenario.hosts().map(({ roomId }) => roomId));
      for (const [sessionId, roomId] of scenario.connected)
        if (rooms.has(roomId)) expect(there).toContain(sessionId);
    }),
    // Shrinking replays races that will not happen again; a slow machine tries fewer.
    { numRuns: 20, endOnFailure: true, interruptAfterTimeLimit: 60_000 },
  );
}, 120_000);
