/**
 * The only broker dies in a move and starts again: whichever host speaks first, whatever the journal says and whoever
 * has the room, exactly one host has it in the end, and it is restored from its checkpoint only if nobody has it.
 */

import { type JournalEntry, MemoryStore } from "@centroid/broker";
import type { AgentRequest } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { FakeAgent, type FakeRoom } from "./support/fake-agent.js";
import { until, World } from "./support/world.js";

const ROOM = "room-1";
const MOVE = "move-1";
const PHASES = ["preparing", "copying", "frozen", "switching", "recorded"] as const;

type Role = FakeRoom["role"] | "none";
type HostId = "a" | "b";
interface Case {
  /** What the source, a, and the destination, b, have. */
  has: Record<HostId, Role>;
  /** Who ends up with it by the order of hellos; `new` is a copy from the checkpoint. */
  ends: Record<"a,b" | "b,a" | "a" | "b", string>;
}

const CASES: [string, Case][] = [
  [
    "the source runs it",
    { has: { a: "owner", b: "none" }, ends: { "a,b": "a", "b,a": "a", a: "a", b: "b new" } },
  ],
  [
    "the source copies it",
    { has: { a: "leaving", b: "arriving" }, ends: { "a,b": "a", "b,a": "a", a: "a", b: "b new" } },
  ],
  [
    "the source has sent it and waits",
    { has: { a: "undecided", b: "arriving" }, ends: { "a,b": "a", "b,a": "a", a: "a", b: "b new" } },
  ],
  [
    "the source waits and the destination gave up",
    { has: { a: "undecided", b: "none" }, ends: { "a,b": "a", "b,a": "a", a: "a", b: "b new" } },
  ],
  [
    "the destination runs it and the source waits",
    { has: { a: "undecided", b: "owner" }, ends: { "a,b": "b", "b,a": "b", a: "a", b: "b" } },
  ],
  [
    "the destination runs it",
    { has: { a: "none", b: "owner" }, ends: { "a,b": "b", "b,a": "b", a: "a new", b: "b" } },
  ],
  [
    "nobody has it",
    { has: { a: "none", b: "none" }, ends: { "a,b": "new", "b,a": "new", a: "a new", b: "b new" } },
  ],
];

const entry = (phase: JournalEntry["phase"]): JournalEntry => ({
  migrationId: MOVE,
  roomId: ROOM,
  fromHostId: "a",
  toHostId: "b",
  toEpoch: 2,
  reason: "operator",
  phase,
  startedAtMs: 1,
});

async function storeOf(phase: (typeof PHASES)[number]): Promise<MemoryStore> {
  const store = new MemoryStore();
  const moved = phase === "recorded";
  await store.putRoom({
    roomId: ROOM,
    name: "arena",
    carrier: "process",
    hostId: moved ? "b" : "a",
    epoch: moved ? 2 : 1,
    fencedEpoch: 0,
    createdAtMs: 1,
  });
  await store.putCheckpoint({ roomId: ROOM, epoch: 1, seq: 1, takenAtMs: 1, data: Buffer.from("saved") });
  await store.journal(entry(moved ? "switching" : phase));
  return store;
}

function agentWith(world: World, hostId: HostId, role: Role, restored: string[]): FakeAgent {
  const agent = new FakeAgent(world.agentOptions(hostId));
  if (role !== "none") {
    const epoch = hostId === "a" ? 1 : 2;
    agent.rooms.set(ROOM, {
      roomId: ROOM,
      name: "arena",
      epoch,
      role,
      migrationId: MOVE,
      sessions: new Map([["s1", { playerId: "p1" }]]),
      seats: new Map(),
    });
  }
  agent.scripts.set("restoreRoom", (request: AgentRequest) => {
    const { epoch } = request as Extract<AgentRequest, { method: "restoreRoom" }>;
    restored.push(hostId);
    agent.rooms.set(ROOM, {
      roomId: ROOM,
      name: "arena",
      epoch,
      role: "owner",
      sessions: new Map(),
      seats: new Map(),
    });
    return {
      processId: `${hostId}-1`,
      address: agent.address,
      sessions: [],
      locked: false,
      stateHash: "h",
    };
  });
  return agent;
}

async function ending(
  { has, ends }: Case,
  order: keyof Case["ends"],
  phase: (typeof PHASES)[number],
): Promise<void> {
  const store = await storeOf(phase);
  const present = order.split(",") as HostId[];
  // Only a host that never comes is waited for until the grace is over; a busy machine needs that long to connect one.
  const rejoinGraceMs = present.length === 1 ? 1_500 : 30_000;
  await using world = await World.start([], { store, rejoinGraceMs, lostAfterMs: 30_000 });
  const restored: string[] = [];
  const agents = present.map((hostId) => agentWith(world, hostId, has[hostId], restored));
  for (const agent of agents) await agent.connect();
  const [expected = "", copy] = ends[order].split(" ");
  const isNew = expected === "new" || copy === "new";
  const view = (): Promise<{ hostId: string; epoch: number; state: string }> =>
    world.get(`/api/v1/rooms/${ROOM}`);
  await until(async () => {
    if ((await store.openMigrations()).length > 0) return false;
    return (await view()).state === "running" && (!isNew || restored.length > 0);
  });
  // Both are told at once; the one that must let go answers a moment later.
  const owners = (): HostId[] => present.filter((hostId) => world.agent(hostId).rooms.has(ROOM));
  await until(() => owners().length === 1);
  const { hostId, epoch } = await view();
  const what = `${phase}, hellos ${order}`;
  expect(owners(), what).toEqual([hostId]);
  expect(world.agent(hostId).rooms.get(ROOM), what).toMatchObject({ role: "owner", epoch });
  if (isNew) {
    expect(epoch, what).toBeGreaterThan(2);
    expect(restored, what).toEqual([hostId]);
  } else {
    expect({ hostId, epoch, restored }, what).toEqual({
      hostId: expected,
      epoch: expected === "a" ? 1 : 2,
      restored: [],
    });
  }
  expect(await store.rooms(), what).toMatchObject([{ hostId, epoch }]);
  expect(
    (await store.receipts({ limit: 10 })).filter(({ migrationId }) => migrationId === MOVE),
    what,
  ).toHaveLength(1);
}

describe("a broker that starts again in the middle of a move", () => {
  for (const [what, one] of CASES) {
    it.each(Object.keys(one.ends) as (keyof Case["ends"])[])(
      `when ${what}, hellos %s (OWN-8, BRK-4)`,
      async (order) => {
        // The new owner is on record only once it runs the room.
        const phases = PHASES.filter((phase) => phase !== "recorded" || one.has.b === "owner");
        const possible = phases.filter((phase) => phase !== "recorded" || order !== "a");
        await Promise.all(possible.map((phase) => ending(one, order, phase)));
      },
    );
  }
});
