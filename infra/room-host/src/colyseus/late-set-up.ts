/**
 * What a room sets up after onCreate(), which nothing repeats on the next host: message handlers, its simulation,
 * subscriptions. A handler that is a method of the room is found again by its name; a closure cannot travel, so the room
 * has to set it up again in onThaw(), or is not moved.
 */
import { CentroidError } from "@centroid/protocol";
import type { Room } from "@colyseus/core";
import { internals } from "./core-internals.js";
import { methodName } from "./timers.js";

type Handler = (...args: never[]) => unknown;

export type LateSetUpRecord = { method: string | undefined } & (
  | { kind: "message" | "bytes"; name: string; validated?: boolean }
  | { kind: "subscription"; name: string }
  | { kind: "timestep"; delayMs: number | undefined; stopped: boolean }
  | { kind: "fixed-timestep"; rate: number | undefined; subSteps: number | undefined }
);
/** Without the handler's name, which is looked up. */
export type LateSetUpCall = LateSetUpRecord extends infer R
  ? R extends unknown
    ? Omit<R, "method">
    : never
  : never;

interface SetUp<H> {
  /** Bound to the room if it is a method. */
  handler: H;
  /** To be called when it is taken back. */
  remove: () => void;
  /** Says how it is taken back here, as it may have been at another host. */
  undoneBy: (off: () => void) => void;
}

export class LateSetUp {
  readonly #room: Room;
  readonly #onClosure: (explained: string) => void;
  readonly #records = new Set<LateSetUpRecord>();
  /** How to take back what onCreate() set up, in that order. */
  readonly #early: ((() => void) | undefined)[] = [];
  /** Places of what was taken back. */
  readonly #takenBack = new Set<number>();
  #created = false;

  /** @param onClosure hears of what stands in the way of a move, when it is set up and not at the move */
  constructor(room: Room, onClosure: (explained: string) => void) {
    this.#room = room;
    this.#onClosure = onClosure;
  }

  /** What comes from now on is late. */
  created(): void {
    this.#created = true;
  }

  /** Something is set up. A simulation takes the place of an earlier one. */
  add<H extends Handler>(call: LateSetUpCall, handler: H): SetUp<H> {
    if (!this.#created) return this.#addEarly(handler);
    // Where a method is found by its name, no validator is.
    const validated = "validated" in call && call.validated === true;
    const method = validated ? undefined : methodName(this.#room, handler);
    const record = { ...call, method } as LateSetUpRecord;
    if (isSimulation(record))
      for (const earlier of this.#records) if (isSimulation(earlier)) this.#records.delete(earlier);
    this.#records.add(record);
    if (isClosure(record) && internals(this.#room).onThaw === undefined) this.#onClosure(explain(record));
    const bound = method === undefined ? handler : (handler.bind(this.#room) as H);
    return { handler: bound, remove: () => void this.#records.delete(record), undoneBy: () => undefined };
  }

  #addEarly<H extends Handler>(handler: H): SetUp<H> {
    const place = this.#early.push(undefined) - 1;
    return {
      handler,
      remove: () => void this.#takenBack.add(place),
      undoneBy: (off) => {
        this.#early[place] = off;
      },
    };
  }

  export(): LateSetUpRecord[] {
    return [...this.#records];
  }

  /** Places of what onCreate() set up and was taken back since. */
  exportTakenBack(): number[] {
    return [...this.#takenBack];
  }

  /** Takes back what onCreate() has set up here, too. */
  takeBack(places: readonly number[]): void {
    for (const place of places) {
      if (this.#takenBack.has(place)) continue;
      this.#takenBack.add(place);
      this.#early[place]?.();
    }
  }

  /** Those that hold a closure, with what to do about them. */
  closures(): string[] {
    return this.export().filter(isClosure).map(explain);
  }

  /** Sets up again what methods of the room do. */
  async import(records: readonly LateSetUpRecord[]): Promise<void> {
    const room = this.#room;
    for (const record of records) {
      if (isClosure(record)) continue;
      const handler = this.#method(record);
      switch (record.kind) {
        case "message":
          room.onMessage(record.name, handler as never);
          break;
        case "bytes":
          room.onMessageBytes(record.name, handler as never);
          break;
        case "subscription":
          await room.presence.subscribe(record.name, handler as never);
          break;
        case "timestep":
          room.setTimestep((record.stopped ? undefined : handler) as never, record.delayMs);
          break;
        case "fixed-timestep":
          room.setFixedTimestep(
            handler as never,
            record.rate,
            record.subSteps === undefined ? undefined : ({ subSteps: record.subSteps } as never),
          );
          break;
        default: {
          const never: never = record;
          throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
        }
      }
    }
  }

  /** @throws CentroidError ROOM_NOT_MOVABLE if onThaw() has not set up again what closures did */
  assertAgain(records: readonly LateSetUpRecord[]): void {
    const key = (record: LateSetUpRecord): string =>
      isSimulation(record) ? "simulation" : `${record.kind} ${record.name}`;
    const here = new Set(this.export().map(key));
    for (const record of records)
      if (isClosure(record) && !here.has(key(record)))
        throw new CentroidError("ROOM_NOT_MOVABLE", `onThaw() does not set it up again: ${explain(record)}`);
  }

  #method({ method }: LateSetUpRecord): Handler | undefined {
    if (method === undefined) return undefined;
    const handler = (this.#room as unknown as Record<string, unknown>)[method];
    if (typeof handler === "function") return handler as Handler;
    throw new CentroidError(
      "ROOM_ERROR",
      `method "${method}" does not exist here; both hosts must run the same rooms`,
    );
  }
}

const isSimulation = (
  record: LateSetUpRecord,
): record is Extract<LateSetUpRecord, { kind: "timestep" | "fixed-timestep" }> =>
  record.kind === "timestep" || record.kind === "fixed-timestep";

const isClosure = (record: LateSetUpRecord): boolean =>
  record.method === undefined && !(record.kind === "timestep" && record.stopped);

function explain(record: LateSetUpRecord): string {
  const what = isSimulation(record)
    ? "the simulation"
    : record.kind === "subscription"
      ? `the subscription to "${record.name}"`
      : `the handler of message "${record.name}"`;
  const how = "validated" in record && record.validated === true ? "validator" : "closure";
  return `${what} was set up after onCreate() with a ${how}, which cannot go to another host; set it up in onCreate(), pass a method of the room (this.method), or set it up again in onThaw()`;
}
