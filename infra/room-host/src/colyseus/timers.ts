/**
 * Moves a room's clock timers. A closure cannot travel, but two kinds of timer can be found again at the
 * destination: those that `onCreate` declared (by their order) and those whose handler is a method of the
 * room (by its name, with its arguments).
 */
import { CentroidError } from "@centroid/protocol";
import type { Delayed, Room } from "@colyseus/core";
import type { CarriedValue, IncomingValues } from "../values/carried-values.js";

export interface TimerRecord {
  /** Position among the timers that `onCreate` declares, or the room's method. */
  key: { ordinal: number } | { method: string };
  kind: "timeout" | "interval";
  timeMs: number;
  elapsedMs: number;
  paused: boolean;
  args: CarriedValue;
}

interface DelayedInternals {
  type: number;
  args: unknown[] | undefined;
  elapsedTime: number;
  time: number;
  paused: boolean;
  active: boolean;
}
const INTERVAL = 0;
/** What `clock.duration()` makes. */
const WAIT = 2;
const inside = (delayed: Delayed): DelayedInternals => delayed as unknown as DelayedInternals;
const METHOD = Symbol("method");

/**
 * From now on a timer whose handler is a method of the room is bound to it and remembers its name.
 * @param onClosure hears of one that is none, while nothing else carries it
 */
export function nameMethodTimers(room: Room, onClosure: (explained: string) => void): void {
  const { clock } = room;
  for (const kind of ["setTimeout", "setInterval"] as const) {
    const original = clock[kind].bind(clock);
    clock[kind] = (handler: (...args: unknown[]) => unknown, timeMs: number, ...args: unknown[]): Delayed => {
      const method = methodName(room, handler);
      if (method === undefined) {
        if ((room as { onFreeze?: unknown }).onFreeze === undefined) onClosure(explain(timeMs));
        return original(handler, timeMs, ...args);
      }
      const delayed = original(handler.bind(room), timeMs, ...args);
      Object.defineProperty(delayed, METHOD, { value: method });
      return delayed;
    };
  }
}

const explain = (timeMs: number): string =>
  `a clock timer of ${timeMs} ms set after onCreate holds a closure; pass a method of the room with its arguments (clock.setTimeout(this.method, ms, ...args)) or carry it yourself in onFreeze/onThaw`;

const explainWait = (timeMs: number): string =>
  `code of the room waits for clock.duration(${timeMs}), and what it would do then cannot go along; have the clock call a method of the room instead: clock.setTimeout(this.method, ms), or setInterval for a loop`;

/** Of a handler that is a method of the room. */
export function methodName(room: object, handler: unknown): string | undefined {
  for (
    let object = room;
    object !== null && object !== Object.prototype;
    object = Object.getPrototypeOf(object)
  ) {
    for (const name of Object.getOwnPropertyNames(object)) {
      const descriptor = Object.getOwnPropertyDescriptor(object, name);
      if (descriptor !== undefined && descriptor.value === handler) return name;
    }
  }
  return undefined;
}

/** A timer that travels: as what, but for what it is given. */
export interface PendingTimer {
  timer: Delayed;
  record: Omit<TimerRecord, "args">;
  args: readonly unknown[];
}

/**
 * @param onWait hears of code that waits for `clock.duration()` and is cut in two; if not given, that is refused
 * @returns the pending timers that travel
 * @throws CentroidError ROOM_NOT_MOVABLE if a pending timer cannot travel and the room has no onFreeze
 */
export function exportTimers(
  room: Room,
  declared: readonly Delayed[],
  onWait?: (explained: string) => void,
): PendingTimer[] {
  const pending: PendingTimer[] = [];
  for (const delayed of room.clock.delayed) {
    const timer = inside(delayed);
    if (!timer.active) continue;
    const ordinal = declared.indexOf(delayed);
    const method = (delayed as unknown as Record<symbol, unknown>)[METHOD];
    const key = ordinal >= 0 ? { ordinal } : typeof method === "string" ? { method } : undefined;
    if (key === undefined) {
      if (typeof (room as { onFreeze?: unknown }).onFreeze === "function") continue;
      const waits = timer.type === WAIT;
      if (!waits || onWait === undefined)
        throw new CentroidError("ROOM_NOT_MOVABLE", (waits ? explainWait : explain)(timer.time));
      onWait(explainWait(timer.time));
      continue;
    }
    pending.push({
      timer: delayed,
      record: {
        key,
        kind: timer.type === INTERVAL ? "interval" : "timeout",
        timeMs: timer.time,
        elapsedMs: timer.elapsedTime,
        paused: timer.paused,
      },
      args: "method" in key ? (timer.args ?? []) : [],
    });
  }
  return pending;
}

/**
 * `declared`: the timers that this side's `onCreate` made; those not in `records` had ended at the source.
 * @param loops code was cut in two that waited for `clock.duration()`: what `onCreate` began anew here goes on
 * @returns them in the order of the records, for {@link giveArguments}
 */
export function importTimers(
  room: Room,
  declared: readonly Delayed[],
  records: readonly TimerRecord[],
  loops: boolean,
): (Delayed | undefined)[] {
  const alive = new Set<Delayed>();
  const imported: (Delayed | undefined)[] = [];
  for (const record of records) {
    const delayed =
      "ordinal" in record.key ? declared[record.key.ordinal] : again(room, record, record.key.method);
    imported.push(delayed);
    if (delayed === undefined) continue;
    const timer = inside(delayed);
    timer.elapsedTime = record.elapsedMs;
    timer.time = record.timeMs;
    timer.paused = record.paused;
    timer.active = true;
    alive.add(delayed);
  }
  for (const delayed of declared)
    if (!alive.has(delayed) && !(loops && inside(delayed).type === WAIT)) delayed.clear();
  return imported;
}

function again(room: Room, record: TimerRecord, method: string): Delayed {
  const handler = (room as unknown as Record<string, (...args: unknown[]) => unknown>)[method];
  if (typeof handler !== "function") {
    throw new CentroidError(
      "ROOM_ERROR",
      `timer method "${method}" does not exist here; both hosts must run the same rooms`,
    );
  }
  return record.kind === "interval"
    ? room.clock.setInterval(handler, record.timeMs)
    : room.clock.setTimeout(handler, record.timeMs);
}

/** What timers are given may be clients and nodes of the state, which come after the timers. */
export function giveArguments(
  timers: readonly (Delayed | undefined)[],
  records: readonly TimerRecord[],
  values: IncomingValues,
): void {
  records.forEach(({ key, args }, place) => {
    const timer = timers[place];
    if (timer !== undefined && "method" in key) inside(timer).args = values.get(args) as unknown[];
  });
}
