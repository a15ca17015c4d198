/** What the dashboard knows at one instant, and how events change it. Pure: the same events, the same world. */
import type { BrokerEvent, Decision, Host, MigrationView, Player, Receipt, Room } from "@centroid/protocol";

export interface DashboardState {
  /** Broker time of the last event, ms since the epoch; 0 before the first snapshot. */
  readonly atMs: number;
  readonly brokerId: string;
  readonly emulated: boolean;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly rooms: ReadonlyMap<string, Room>;
  /** By {@link playerKey}: one person may sit in several rooms. */
  readonly players: ReadonlyMap<string, Player>;
  /** Migrations under way. */
  readonly migrations: ReadonlyMap<string, MigrationView>;
  /** Newest first. */
  readonly receipts: readonly Receipt[];
  /** By room, newest first. */
  readonly decisions: ReadonlyMap<string, readonly Decision[]>;
}

/** Enough to scroll back through, small enough to render. */
const MAX_RECEIPTS = 300;
/** Evaluations kept per room: the regret curve's width. */
const MAX_DECISIONS = 240;

export const EMPTY_WORLD: DashboardState = {
  atMs: 0,
  brokerId: "",
  emulated: false,
  hosts: new Map(),
  rooms: new Map(),
  players: new Map(),
  migrations: new Map(),
  receipts: [],
  decisions: new Map(),
};

function playerKey(player: { roomId: string; playerId: string }): string {
  return `${player.roomId}/${player.playerId}`;
}

/**
 * The world after the events, in order. Collections that no event touched are shared with the old world,
 * so that views can compare by identity and keyframes cost little.
 */
export function applyEvents(world: DashboardState, events: readonly BrokerEvent[]): DashboardState {
  if (events.length === 0) return world;
  const draft = new Draft(world);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

class Draft {
  #world: DashboardState;
  readonly #copied = new Set<keyof DashboardState>();

  constructor(world: DashboardState) {
    this.#world = world;
  }

  finish(): DashboardState {
    return this.#world;
  }

  apply(event: BrokerEvent): void {
    this.#world = { ...this.#world, atMs: Math.max(this.#world.atMs, event.atMs) };
    switch (event.type) {
      case "snapshot":
        this.#reset(event);
        return;
      case "host":
        this.#map("hosts").set(event.host.hostId, event.host);
        return;
      case "host-removed":
        this.#map("hosts").delete(event.hostId);
        return;
      case "room":
        this.#map("rooms").set(event.room.roomId, event.room);
        return;
      case "room-removed":
        this.#removeRoom(event.roomId);
        return;
      case "player":
        this.#map("players").set(playerKey(event.player), event.player);
        return;
      case "player-removed":
        this.#map("players").delete(playerKey(event));
        return;
      case "decision":
        this.#decide(event.decision);
        return;
      case "migration":
        this.#migrate(event.migration);
        return;
      case "receipt":
        this.#map("migrations").delete(event.receipt.migrationId);
        this.#world = { ...this.#world, receipts: newestFirst(this.#world.receipts, event.receipt) };
        return;
      default:
        event satisfies never;
    }
  }

  #reset(event: Extract<BrokerEvent, { type: "snapshot" }>): void {
    this.#copied.clear();
    this.#world = {
      atMs: event.atMs,
      brokerId: event.brokerId,
      emulated: event.emulated,
      hosts: new Map(event.hosts.map((host) => [host.hostId, host])),
      rooms: new Map(event.rooms.map((room) => [room.roomId, room])),
      players: new Map(event.players.map((player) => [playerKey(player), player])),
      migrations: new Map(event.migrations.map((migration) => [migration.migrationId, migration])),
      receipts: event.receipts.reduce<readonly Receipt[]>(newestFirst, []),
      // A snapshot carries no decisions; those already heard stay true.
      decisions: this.#world.decisions,
    };
  }

  #removeRoom(roomId: string): void {
    this.#map("rooms").delete(roomId);
    this.#map("decisions").delete(roomId);
    for (const [key, player] of this.#world.players) {
      if (player.roomId === roomId) this.#map("players").delete(key);
    }
  }

  #decide(decision: Decision): void {
    const decisions = this.#map("decisions");
    const known = decisions.get(decision.roomId) ?? [];
    decisions.set(decision.roomId, [decision, ...known].slice(0, MAX_DECISIONS));
  }

  #migrate(migration: MigrationView): void {
    const over = migration.phase === "completed" || migration.phase === "rolled-back";
    if (over) this.#map("migrations").delete(migration.migrationId);
    else this.#map("migrations").set(migration.migrationId, migration);
  }

  /** The named collection as one this draft may change: copied on first use. */
  #map<K extends "hosts" | "rooms" | "players" | "migrations" | "decisions">(name: K): MutableOf<K> {
    if (!this.#copied.has(name)) {
      this.#copied.add(name);
      this.#world = { ...this.#world, [name]: new Map(this.#world[name] as ReadonlyMap<string, unknown>) };
    }
    return this.#world[name] as MutableOf<K>;
  }
}

type MutableOf<K extends keyof DashboardState> =
  DashboardState[K] extends ReadonlyMap<string, infer V> ? Map<string, V> : never;

function newestFirst(receipts: readonly Receipt[], receipt: Receipt): readonly Receipt[] {
  const others = receipts.filter((known) => known.migrationId !== receipt.migrationId);
  const ended = receipt.startedAtMs + receipt.totalMs;
  const at = others.findIndex((known) => known.startedAtMs + known.totalMs <= ended);
  const index = at === -1 ? others.length : at;
  return [...others.slice(0, index), receipt, ...others.slice(index)].slice(0, MAX_RECEIPTS);
}
