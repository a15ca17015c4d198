/**
 * Which rooms talk with which: by what they hear of each other by presence, and by who has travelled between them lately. The
 * placement brings such rooms near each other, as far as their players allow.
 */
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { PlacementEngine } from "./engine.js";
import type { PlacementLoop } from "./placement-loop.js";
import { roomFacts } from "./room-facts.js";

/** Who hears another room so often waits for it half as much as for its own. */
const HALF_PER_S = 10;
/** A traveller counts less and less, by a factor of e in this time, ms. */
const FADES_MS = 300_000;
/** Ties are looked at so often while they fade, ms. */
const REFRESH_MS = 15_000;
/** A change of less is none; nor are ties of fewer players. */
const NOTABLE_SHARE = 0.25;
const LEAST_PLAYERS = 0.05;
/** A lobby has sent players to many rooms; those to which it sent most, or lately, count. */
const MOST_PARTNERS = 8;

export interface RoomTalkOptions {
  events: Emitter<RoomEvents & MoveEvents>;
  engine: PlacementEngine;
  loop: PlacementLoop;
  rooms: RoomRegistry;
  clock: Clock;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
}

/** What passes between two rooms. */
interface Pair {
  roomIds: readonly [string, string];
  /** By the room that hears the other: messages per second. */
  hears: Map<string, number>;
  travellers: number;
  travelledAtMs: number;
  /** As the placement knows it. */
  told: number;
}

export class RoomTalk implements Disposable {
  readonly #options: RoomTalkOptions;
  /** By room and other room; a pair is there twice. */
  readonly #pairs = new Map<string, Map<string, Pair>>();
  #refreshing: (() => void) | undefined;

  constructor(options: RoomTalkOptions) {
    this.#options = options;
    const { events } = options;
    events.on("room.hears", ({ room: { roomId }, rooms }) => this.#hears(roomId, rooms));
    events.on("room.travelled", ({ fromRoomId, toRoomId, players }) => {
      const pair = this.#pair(fromRoomId, toRoomId);
      pair.travellers = this.#travellers(pair) + players;
      pair.travelledAtMs = options.clock.now();
      this.#told(pair);
    });
    events.on("room.changed", ({ room }) => this.#changed(room));
    events.on("move.finished", ({ receipt: { roomId } }) => this.#markPartners(roomId));
    events.on("room.removed", ({ room: { roomId } }) => this.#forget(roomId));
  }

  #hears(roomId: string, heard: readonly { roomId: string; perSecond: number }[]): void {
    const now = new Map(heard.map((one) => [one.roomId, one.perSecond]));
    for (const [otherId, pair] of [...(this.#pairs.get(roomId) ?? [])]) {
      if (now.has(otherId) || !pair.hears.delete(roomId)) continue;
      this.#told(pair);
    }
    for (const [otherId, perSecond] of now) {
      if (otherId === roomId || this.#options.rooms.get(otherId) === undefined) continue;
      const pair = this.#pair(roomId, otherId);
      pair.hears.set(roomId, perSecond);
      this.#told(pair);
    }
  }

  #pair(roomId: string, otherId: string): Pair {
    const known = this.#pairs.get(roomId)?.get(otherId);
    if (known !== undefined) return known;
    const made = {
      roomIds: [roomId, otherId] as const,
      hears: new Map(),
      travellers: 0,
      travelledAtMs: 0,
      told: 0,
    };
    for (const [one, other] of [
      [roomId, otherId],
      [otherId, roomId],
    ] as const) {
      const partners = this.#pairs.get(one) ?? new Map<string, Pair>();
      this.#pairs.set(one, partners.set(other, made));
      if (partners.size > MOST_PARTNERS) this.#dropLeast(partners, made);
    }
    return made;
  }

  #dropLeast(partners: ReadonlyMap<string, Pair>, except: Pair): void {
    const [least] = [...partners.values()]
      .filter((pair) => pair !== except)
      .sort((a, b) => this.#players(a) - this.#players(b));
    if (least !== undefined) this.#drop(least);
  }

  #drop(pair: Pair): void {
    const [one, other] = pair.roomIds;
    this.#pairs.get(one)?.delete(other);
    this.#pairs.get(other)?.delete(one);
    if (pair.told > 0) this.#options.engine.tie(one, other, 0);
  }

  #travellers({ travellers, travelledAtMs }: Pair): number {
    return travellers * Math.exp((travelledAtMs - this.#options.clock.now()) / FADES_MS);
  }

  /** As many players of both rooms as wait for what comes over the way between them; each way is half a round trip. */
  #players(pair: Pair): number {
    const { rooms } = this.#options;
    let all = 0;
    let waiting = this.#travellers(pair);
    for (const roomId of pair.roomIds) {
      const { players = 0 } = rooms.get(roomId) ?? {};
      const perSecond = pair.hears.get(roomId) ?? 0;
      all += players;
      waiting += (players * perSecond) / (perSecond + HALF_PER_S);
    }
    const players = Math.min(all, waiting) / 2;
    return players < LEAST_PLAYERS ? 0 : players;
  }

  /** Tells the placement if there is something new in it. */
  #told(pair: Pair): void {
    const { engine, loop } = this.#options;
    const players = this.#players(pair);
    const [one, other] = pair.roomIds;
    if (pair.hears.size === 0 && this.#travellers(pair) < LEAST_PLAYERS) {
      this.#drop(pair);
      return;
    }
    this.#refreshSoon();
    const isNews =
      (players === 0) !== (pair.told === 0) || Math.abs(players - pair.told) > NOTABLE_SHARE * pair.told;
    if (!isNews) return;
    pair.told = players;
    for (const roomId of pair.roomIds) this.#see(this.#options.rooms.get(roomId));
    engine.tie(one, other, players);
    for (const roomId of pair.roomIds) loop.mark(roomId);
  }

  /** Of rooms that another broker decides about nothing is known but what this one tells. */
  #see(room: RoomEntry | undefined): void {
    const { engine, clock, owns } = this.#options;
    if (room !== undefined && !owns(room.roomId)) engine.see(roomFacts(room), clock.now());
  }

  #changed(room: RoomEntry): void {
    const partners = this.#pairs.get(room.roomId);
    if (partners === undefined) return;
    this.#see(room);
    for (const pair of [...partners.values()]) this.#told(pair);
  }

  #markPartners(roomId: string): void {
    for (const otherId of this.#pairs.get(roomId)?.keys() ?? []) this.#options.loop.mark(otherId);
  }

  #forget(roomId: string): void {
    for (const pair of [...(this.#pairs.get(roomId)?.values() ?? [])]) this.#drop(pair);
    this.#pairs.delete(roomId);
  }

  #refreshSoon(): void {
    this.#refreshing ??= this.#options.clock.after(REFRESH_MS, () => {
      this.#refreshing = undefined;
      const pairs = new Set([...this.#pairs.values()].flatMap((partners) => [...partners.values()]));
      for (const pair of pairs) this.#told(pair);
    });
  }

  [Symbol.dispose](): void {
    this.#refreshing?.();
  }
}
