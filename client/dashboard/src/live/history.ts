/** The last hour, kept as keyframes and the events after each, so that any instant can be shown again. */
import type { BrokerEvent } from "@centroid/protocol";
import { applyEvents, type DashboardState, EMPTY_WORLD } from "./world.js";

export interface HistoryLimits {
  readonly spanMs: number;
  /** Beyond this many events the oldest go first, even within the span. */
  readonly events: number;
}

const HOUR_MS = 3_600_000;
/** About 60 MB of parsed events: with thousands of busy players the hour gets shorter, not the browser slower. */
const HISTORY_LIMITS: HistoryLimits = { spanMs: HOUR_MS, events: 200_000 };
/** Replaying one keyframe's worth of events must fit between two frames of a dragged slider. */
const KEYFRAME_EVENTS = 1_000;
const KEYFRAME_MS = 15_000;

interface Segment {
  readonly fromMs: number;
  readonly before: DashboardState;
  readonly events: BrokerEvent[];
}

export class History {
  readonly #limits: HistoryLimits;
  #segments: Segment[] = [];
  #latest: DashboardState = EMPTY_WORLD;
  #count = 0;

  constructor(limits: HistoryLimits = HISTORY_LIMITS) {
    this.#limits = limits;
  }

  /** Adds events that have just happened; `after` is the world they led to. */
  append(events: readonly BrokerEvent[], after: DashboardState): void {
    for (const event of events) this.#segmentFor(event).events.push(event);
    this.#count += events.length;
    this.#latest = after;
    this.#forget();
  }

  /** @returns the oldest and newest instant it can show, or undefined when nothing has happened yet */
  span(): { fromMs: number; toMs: number } | undefined {
    const first = this.#segments[0];
    return first && { fromMs: first.fromMs, toMs: this.#latest.atMs };
  }

  /** @returns the world as it was at that instant (the oldest known one for anything earlier) */
  at(atMs: number): DashboardState {
    if (atMs >= this.#latest.atMs) return this.#latest;
    const segment = this.#segments.findLast((candidate) => candidate.fromMs <= atMs) ?? this.#segments[0];
    if (!segment) return this.#latest;
    // Events come in order of time, but a snapshot opens the very first segment whatever its time is.
    const happened = segment.events.filter((event, index) => index === 0 || event.atMs <= atMs);
    return applyEvents(segment.before, happened);
  }

  /** Everything it knows, as the stream that would lead to it: a snapshot first. */
  recording(): BrokerEvent[] {
    const [first, ...rest] = this.#segments;
    if (!first) return [];
    const opening = first.before === EMPTY_WORLD ? [] : [asSnapshot(first.before, first.fromMs)];
    return [...opening, ...first.events, ...rest.flatMap((segment) => segment.events)];
  }

  #segmentFor(event: BrokerEvent): Segment {
    const last = this.#segments.at(-1);
    const full = last && (last.events.length >= KEYFRAME_EVENTS || event.atMs - last.fromMs >= KEYFRAME_MS);
    if (last && !full) return last;
    const before = last ? applyEvents(last.before, last.events) : EMPTY_WORLD;
    // Time never runs backwards in here, even if a restarted broker's clock does.
    const segment = { fromMs: Math.max(event.atMs, last?.fromMs ?? 0), before, events: [] };
    this.#segments.push(segment);
    return segment;
  }

  #forget(): void {
    const oldestMs = this.#latest.atMs - this.#limits.spanMs;
    while (this.#segments.length > 1) {
      const [first, second] = this.#segments;
      if (!first || !second) return;
      if (second.fromMs > oldestMs && this.#count <= this.#limits.events) return;
      this.#count -= first.events.length;
      this.#segments.shift();
    }
  }
}

function asSnapshot(world: DashboardState, atMs: number): BrokerEvent {
  return {
    type: "snapshot",
    seq: 0,
    atMs,
    brokerId: world.brokerId,
    emulated: world.emulated,
    hosts: [...world.hosts.values()],
    rooms: [...world.rooms.values()],
    players: [...world.players.values()],
    migrations: [...world.migrations.values()],
    receipts: [...world.receipts],
  };
}
