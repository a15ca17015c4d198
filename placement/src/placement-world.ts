/**
 * All that placement decisions depend on, with one method per input. A broker feeds it live and may have every call
 * recorded; a replay feeds it from the record. Equal calls give equal decisions, whatever was looked at in between.
 */
import { explainDecision } from "./decide/explain.js";
import { HostTable } from "./decide/host-table.js";
import { MigrationCosts } from "./decide/migration-cost.js";
import { type Migrated, placeRoom, RoomPolicy } from "./decide/room-policy.js";
import type { ExplainedVerdict, HostView, PlacementParameters, RoomView, Verdict } from "./decide/types.js";
import type { FleetBudget } from "./fleet/budget.js";
import { consolidate } from "./fleet/consolidate.js";
import { type FleetAnswer, type PlannedMove, planMoves } from "./fleet/plan-moves.js";
import { LatencyMap } from "./latency/latency-map.js";
import type { HostPlace, PlayerPlace, Probe, ProbeVerdict } from "./latency/types.js";
import { Neighbours } from "./neighbours.js";
import { ProbePlanner } from "./probing/probe-planner.js";
import { HostShadows } from "./trace/host-shadows.js";
import { RoomShadows } from "./trace/room-shadows.js";
import { type RecordedLine, type RoomFacts, TRACE_VERSION } from "./trace/trace.js";

export interface Recording {
  record: (line: RecordedLine) => void;
  /** Stamps the inputs that carry no time of their own, ms. */
  now: () => number;
}

export class PlacementWorld {
  readonly map = new LatencyMap();
  readonly hosts = new HostTable(this.map);
  readonly #parameters: PlacementParameters;
  readonly #costs: MigrationCosts;
  readonly #probing: ProbePlanner;
  readonly #policies = new Map<string, RoomPolicy>();
  readonly #recording: Recording | undefined;
  readonly #roomShadows = new RoomShadows();
  readonly #hostShadows = new HostShadows();
  readonly #neighbours = new Neighbours();

  constructor(parameters: PlacementParameters, recording?: Recording) {
    this.#parameters = parameters;
    this.#costs = new MigrationCosts(parameters);
    this.#probing = new ProbePlanner(this.hosts, parameters);
    this.#recording = recording;
    recording?.record({ type: "start", atMs: recording.now(), version: TRACE_VERSION, parameters });
  }

  /** @param host may be a live view: it is read whenever rooms are looked at, so its changes need not be told */
  upsertHost(place: HostPlace, host: HostView): void {
    this.map.upsertHost(place);
    this.hosts.set(host);
    this.#record((atMs) => ({ type: "host", atMs, place, host: this.#hostShadows.tell(host) }));
  }

  /** What a known host offers now. */
  changeHost(host: HostView): void {
    this.hosts.set(host);
  }

  removeHost(hostId: string): void {
    this.hosts.delete(hostId);
    this.map.removeHost(hostId);
    this.#hostShadows.forget(hostId);
    this.#record((atMs) => ({ type: "host-removed", atMs, hostId }));
  }

  upsertPlayer(place: PlayerPlace): void {
    this.map.upsertPlayer(place);
    this.#record((atMs) => ({ type: "player", atMs, place }));
  }

  removePlayer(playerId: string): void {
    this.map.removePlayer(playerId);
    this.#probing.forget(playerId);
    this.#record((atMs) => ({ type: "player-removed", atMs, playerId }));
  }

  addProbe(probe: Probe): ProbeVerdict {
    // Of what is no number nothing is kept, and JSON has no word for it.
    if ("lost" in probe || Number.isFinite(probe.rttMs))
      this.#record(() => ({ type: "probe", atMs: probe.atMs, probe }));
    const verdict = this.map.addProbe(probe);
    if (verdict.accepted && "lost" in probe) this.#probing.missed(probe.playerId, probe.hostId, probe.atMs);
    if (verdict.accepted && verdict.pathChanged) this.#probing.moved(probe.playerId);
    return verdict;
  }

  /**
   * Two rooms talk with each other.
   * @param players of both together that wait for what comes over the way between them; none if they talk no more
   */
  tie(roomId: string, otherId: string, players: number): void {
    this.#neighbours.tie(roomId, otherId, players);
    this.#record((atMs) => ({ type: "tie", atMs, roomIds: [roomId, otherId], players }));
  }

  /** A room as it is now, for those that talk with it: rooms that are evaluated need not be told. */
  see(room: RoomFacts, atMs: number): void {
    this.#look(room, atMs);
    this.#record(() => ({ type: "seen", atMs, roomId: room.roomId }));
  }

  /** What a newcomer measures before anything is known of it. Not recorded: decisions depend on answers only. */
  firstProbes(): string[] {
    return this.#probing.standing();
  }

  /** What a player should measure next; see {@link ProbePlanner.next}. Not recorded either. */
  nextProbes(playerId: string, rooms: readonly RoomFacts[], count: number, atMs: number): string[] {
    return this.#probing.next(playerId, rooms.map(this.#viewOf), count, atMs);
  }

  /** Where a new room starts. */
  place(room: RoomFacts, atMs: number): ExplainedVerdict {
    this.#look(room, atMs);
    const decision = placeRoom(this.#viewOf(room), this.hosts, this.map, atMs, this.#parameters);
    this.#record(() => ({ type: "placed", atMs, roomId: room.roomId, decision }));
    return decision;
  }

  /** Whether a running room should move. Regret accumulates between calls. */
  evaluate(room: RoomFacts, atMs: number): Verdict {
    let policy = this.#policies.get(room.roomId);
    if (policy === undefined) {
      policy = new RoomPolicy(this.#parameters, this.#costs);
      this.#policies.set(room.roomId, policy);
    }
    this.#look(room, atMs);
    const decision = policy.evaluate(this.#viewOf(room), this.hosts, atMs);
    this.#record(() => ({ type: "evaluated", atMs, roomId: room.roomId, decision }));
    return decision;
  }

  /**
   * Who moves where, for rooms that are in each other's way (`pressed`), or to empty a host that may then rest.
   * @param others rooms of a host that may be moved now
   */
  plan(
    pressed: readonly RoomFacts[] | undefined,
    others: (hostId: string) => readonly RoomFacts[],
    budget: FleetBudget,
    atMs: number,
  ): FleetAnswer {
    const asked: RoomFacts[] = [];
    const ask = (hostId: string): RoomView[] =>
      others(hostId).map((room) => {
        asked.push(room);
        return this.#viewOf(room);
      });
    const answer =
      pressed === undefined
        ? {
            moves: consolidate({ others: ask, budget, atMs }, this.hosts, this.#parameters, this.#costs),
            waiting: [],
          }
        : planMoves(
            { pressed: pressed.map(this.#viewOf), others: ask, budget, atMs },
            this.hosts,
            this.#parameters,
            this.#costs,
          );
    for (const room of [...(pressed ?? []), ...asked]) this.#look(room, atMs);
    this.#record(() => ({
      type: "planned",
      atMs,
      question: {
        ...(pressed !== undefined && { pressed: pressed.map(({ roomId }) => roomId) }),
        others: asked.map(({ roomId }) => roomId),
        budget,
      },
      decision: answer,
    }));
    return answer;
  }

  /** The full record of a planned move; to be made before anything else is measured. */
  explainMove(
    { toHostId, reason, gainMs, text }: PlannedMove,
    room: RoomFacts,
    atMs: number,
  ): ExplainedVerdict {
    return {
      ...this.explain({ ...settled(room, atMs), verdict: "move", reason, toHostId, gainMs }, room),
      text,
    };
  }

  /** The full record of a room that must leave and has its turn later. */
  explainWaiting(room: RoomFacts, atMs: number): ExplainedVerdict {
    return this.explain({ ...settled(room, atMs), verdict: "stay", reason: "waiting" }, room);
  }

  /**
   * Whether a room that stays would be better off on a host that is full, by more than noise. O(hosts) at worst.
   */
  isBlocked(room: RoomFacts): boolean {
    const view = { ...this.#viewOf(room), anySlot: true };
    const names = room.hostId === undefined ? [] : [room.hostId];
    const { best, named } = this.hosts.search(view, this.#parameters, 1, names);
    const [first] = best;
    const [current] = named;
    if (first === undefined || current === undefined || first.hostId === current.hostId) return false;
    const host = this.hosts.get(first.hostId);
    if (host === undefined || host.rooms < host.capacityRooms) return false;
    const { minGain, noiseMargin, confirmedShare } = this.#parameters;
    const leastMs = Math.max(
      minGain * current.scoreMs,
      noiseMargin * Math.hypot(current.errorMs, first.errorMs),
    );
    return (
      first.measuredShare >= confirmedShare &&
      (first.capStage < current.capStage || current.scoreMs - first.scoreMs > leastMs)
    );
  }

  /** What would be decided for a room under other parameters, without touching its regret. Not recorded. */
  whatIf(room: RoomFacts, atMs: number, parameters: Partial<PlacementParameters>): ExplainedVerdict {
    const policy = new RoomPolicy({ ...this.#parameters, ...parameters }, this.#costs);
    return this.explain(policy.evaluate(this.#viewOf(room), this.hosts, atMs), room);
  }

  /** O(hosts); to be made before anything else is measured. */
  explain(verdict: Verdict, room: RoomFacts): ExplainedVerdict {
    return explainDecision(verdict, this.#viewOf(room), this.hosts, this.#parameters);
  }

  migrated(roomId: string, migrated: Migrated): void {
    this.#policies.get(roomId)?.migrated(migrated);
    this.#record(() => ({ type: "receipt", atMs: migrated.atMs, roomId, migrated }));
  }

  forgetRoom(roomId: string): void {
    this.#policies.delete(roomId);
    this.#probing.forgetRoom(roomId);
    this.#roomShadows.forget(roomId);
    this.#neighbours.forget(roomId);
    this.#record((atMs) => ({ type: "ended", atMs, roomId }));
  }

  readonly #viewOf = ({ work, ...room }: RoomFacts): RoomView => {
    const ties = this.#neighbours.of(room.roomId);
    return {
      ...room,
      roomType: room.name,
      ...(work !== undefined && { work }),
      ...(ties.length > 0 && { ties }),
    };
  };

  #record(line: (atMs: number) => RecordedLine): void {
    if (this.#recording !== undefined) this.#recording.record(line(this.#recording.now()));
  }

  /** Records what changed of hosts and of this room since they were last looked at; O(hosts), only while recording. */
  #look(room: RoomFacts, atMs: number): void {
    this.#neighbours.see(room);
    if (this.#recording === undefined) return;
    for (const view of this.hosts)
      if (this.#hostShadows.isNews(view))
        this.#recording.record({ type: "host-changed", atMs, host: this.#hostShadows.tell(view) });
    for (const line of this.#roomShadows.changes(room, atMs)) this.#recording.record(line);
  }
}

/** What is decided for all at once has no regret of its own. */
const settled = ({ roomId, hostId }: RoomFacts, atMs: number) => ({
  roomId,
  atMs,
  ...(hostId !== undefined && { fromHostId: hostId }),
  regret: 0,
  threshold: 0,
  gainMs: 0,
  contenders: [],
});
