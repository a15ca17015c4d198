/**
 * Which hosts players measure: the standing few that place a player in latency space, the confirming ones that may
 * change where its room runs, and what is old. The broker and the simulator run this same code, so that published
 * figures are those of what ships.
 */
import type { HostTable } from "../decide/host-table.js";
import type { PlacementParameters, RoomView } from "../decide/types.js";
import { STANDING_HOSTS } from "../latency/player-record.js";
import { type Confirmation, nextConfirmation } from "./confirm.js";

export interface ProbingParameters {
  /** Hosts that every player measures, a newcomer before anything else. */
  readonly standing: number;
  /** Further hosts that a player may be asked to measure from one place, where estimates are as good as they say. */
  readonly confirming: number;
  /** In a room one regular probe goes to a host that may be better rather than to a landmark, at most so often, ms. */
  readonly exploreMs: number;
  /** A pair measured longer ago is worth measuring again, ms. */
  readonly staleMs: number;
}

export const DEFAULT_PROBING: ProbingParameters = {
  standing: STANDING_HOSTS,
  confirming: 4,
  exploreMs: 1_000,
  staleMs: 60_000,
};

/** A player whose answers could change nothing is not thought of again for so long, ms. */
const QUIET_MS = 10_000;

/** Errors of estimates that are so much larger than they say are no news yet: measured networks have 0.8 to 1.2. */
const USUAL_ERROR_SCALE = 1.25;
/** So many times as many probes per unit beyond that: personal devices, at 2.3 to 2.9, get three or four times as many. */
const PROBES_PER_ERROR_SCALE = 2;

/** Probes that one after the other found no host: it cannot be reached from there, and others are measured in its place. */
const UNREACHED_AFTER = 6;

/** How many times as many landmarks are looked at when some are down. */
const SPARE_LANDMARKS = 2;

export class ProbePlanner {
  readonly #hosts: HostTable;
  readonly #parameters: PlacementParameters;
  readonly #probing: ProbingParameters;
  /** Confirming probes that a player has been asked for at its place. */
  readonly #asked = new Map<string, number>();

  /** By player: probes that were lost at hosts which have never answered, and the last of them. */
  readonly #missed = new Map<string, Map<string, { count: number; atMs: number }>>();
  /** By room: when somebody of it last explored. */
  readonly #exploredAtMs = new Map<string, number>();
  /** By player: until when there is nothing to ask. */
  readonly #quietUntilMs = new Map<string, number>();

  constructor(hosts: HostTable, parameters: PlacementParameters, probing = DEFAULT_PROBING) {
    this.#hosts = hosts;
    this.#parameters = parameters;
    this.#probing = probing;
  }

  /**
   * The hosts that place a player, most telling first: the landmarks that are up. They are also a newcomer's first
   * beacons. O(hosts^2) after coordinates have changed, else O(1).
   */
  standing(): string[] {
    const { standing } = this.#probing;
    const up = (count: number): string[] =>
      this.#hosts.map.landmarks(count).filter((hostId) => this.#isUp(hostId));
    const first = up(standing);
    return first.length === standing ? first : up(standing * SPARE_LANDMARKS).slice(0, standing);
  }

  /** The player is at a new place: there is everything to measure again. */
  moved(playerId: string): void {
    this.#asked.delete(playerId);
    this.#missed.delete(playerId);
    this.#quietUntilMs.delete(playerId);
  }

  forget(playerId: string): void {
    this.moved(playerId);
  }

  /** A probe was lost; of a host that has answered before the map keeps account. */
  missed(playerId: string, hostId: string, atMs: number): void {
    if (this.#hosts.map.measuredHosts(playerId).has(hostId)) return;
    const missed = this.#missed.get(playerId) ?? new Map<string, { count: number; atMs: number }>();
    this.#missed.set(playerId, missed);
    missed.set(hostId, { count: (missed.get(hostId)?.count ?? 0) + 1, atMs });
  }

  /** Whether a host that has not been measured is not worth another probe for now. */
  #isUnreached(playerId: string, hostId: string, atMs: number): boolean {
    const missed = this.#missed.get(playerId)?.get(hostId);
    return (
      missed !== undefined && missed.count >= UNREACHED_AFTER && atMs - missed.atMs <= this.#probing.staleMs
    );
  }

  forgetRoom(roomId: string): void {
    this.#exploredAtMs.delete(roomId);
  }

  /**
   * What a player of a running room may measure in place of a landmark, so that it costs no probe: the host that is worth
   * most. Once all confirming probes are spent this is how a room still finds the host that nobody asked for.
   * @returns undefined when it is not this room's turn, or nothing can change the choice of host
   */
  explore(room: RoomView, playerId: string, atMs: number): string | undefined {
    const { exploreMs } = this.#probing;
    if (room.hostId === undefined || atMs < (this.#quietUntilMs.get(playerId) ?? 0)) return undefined;
    const lastAtMs = this.#exploredAtMs.get(room.roomId) ?? Number.NEGATIVE_INFINITY;
    if (atMs - lastAtMs < exploreMs) return undefined;
    const budget = (id: string): number => (id === playerId ? 1 : 0);
    const ask = this.#nextOf(room, budget, atMs);
    if (ask === undefined) this.#quietUntilMs.set(playerId, atMs + QUIET_MS);
    else this.#exploredAtMs.set(room.roomId, atMs);
    return ask?.hostId;
  }

  /**
   * The most telling confirming probe of a room, counted against its player's budget.
   * @param only asks no other player
   * @returns undefined when nothing that may still be measured can change the choice of host
   */
  confirm(room: RoomView, atMs: number, only?: string): Confirmation | undefined {
    const allowed = this.#allowed();
    const left = (playerId: string): number => allowed - (this.#asked.get(playerId) ?? 0);
    if (only !== undefined && left(only) <= 0) return undefined;
    const budget = (playerId: string): number =>
      only !== undefined && playerId !== only ? 0 : left(playerId);
    const ask = this.#nextOf(room, budget, atMs);
    if (ask !== undefined) this.#asked.set(ask.playerId, (this.#asked.get(ask.playerId) ?? 0) + 1);
    return ask;
  }

  #nextOf(room: RoomView, budget: (playerId: string) => number, atMs: number): Confirmation | undefined {
    const isUnreached = (playerId: string, hostId: string): boolean =>
      this.#isUnreached(playerId, hostId, atMs);
    return nextConfirmation(room, this.#hosts, this.#parameters, budget, isUnreached);
  }

  /** What is measured at few hosts says little of the others in a network that no coordinates describe. */
  #allowed(): number {
    const beyond = Math.max(0, this.#hosts.map.errorScale - USUAL_ERROR_SCALE);
    return Math.floor(this.#probing.confirming * (1 + PROBES_PER_ERROR_SCALE * beyond));
  }

  /**
   * What a player should measure next, most telling first. One of the standing few is measured in its turn, as a change of
   * the player's path shows on more than the way to its own host; now and then a host that may be better in its place.
   * @param rooms where the player has seats
   */
  next(playerId: string, rooms: readonly RoomView[], count: number, atMs: number): string[] {
    const measured = this.#hosts.map.measuredHosts(playerId);
    const standing = this.standing().filter(
      (hostId) => measured.has(hostId) || !this.#isUnreached(playerId, hostId, atMs),
    );
    const next = new Set(standing.filter((hostId) => !measured.has(hostId)));
    if (next.size === 0) {
      // In a small fleet everybody measures every host: there is nothing to find out, and looking for it costs most.
      const open = measured.size < this.#hosts.size ? rooms : [];
      for (const room of open) {
        const ask = this.confirm(room, atMs, playerId);
        if (ask !== undefined) next.add(ask.hostId);
      }
      const lastAtMs = (hostId: string): number => measured.get(hostId) ?? 0;
      // Its own host it measures unasked.
      const own = new Set(rooms.map(({ hostId }) => hostId));
      const explored = open
        .map((room) => this.explore(room, playerId, atMs))
        .find((hostId) => hostId !== undefined);
      const [longestAgo] = standing
        .filter((hostId) => !own.has(hostId))
        .sort((a, b) => lastAtMs(a) - lastAtMs(b));
      const regular = explored ?? longestAgo;
      if (regular !== undefined) next.add(regular);
    }
    for (const [hostId, lastAtMs] of measured) if (atMs - lastAtMs > this.#probing.staleMs) next.add(hostId);
    return [...next].filter((hostId) => this.#isUp(hostId)).slice(0, count);
  }

  #isUp(hostId: string): boolean {
    return this.#hosts.get(hostId)?.state === "active";
  }
}
