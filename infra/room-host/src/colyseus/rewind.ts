/**
 * Rewind buffers of a room (allowRewindState), which say where things were half a second ago: their samples, and what was
 * attached to them. The private parts of @colyseus/core 0.18.17's Rewind are touched here only; the contract test names
 * that version.
 */
import { Rewind } from "@colyseus/core";
import { $refId, type Encoder } from "@colyseus/schema";
import { isRef, type Ref, targetOf } from "./schema/internals.js";

interface AttachOptions {
  fields: readonly string[] | ((entity: unknown) => readonly string[]);
  maxRewindMs?: number;
  interpolate?: "linear" | "step" | ((entity: unknown) => "linear" | "step");
  mode?: "snapshot" | "reckon";
}
interface Group {
  entities: () => Iterable<object>;
  groupId: number;
}
interface History {
  groupId: number;
  cap: number;
  t: Float64Array;
  cols: Float64Array[];
  head: number;
  count: number;
}
interface RewindInside {
  groups: Group[];
  _lastRecordedAt: number;
  _sampleIntervalMs: number;
  attach(entity: object, options: AttachOptions): Rewind;
  attachAll(collection: object, options: AttachOptions): Rewind;
  createHistory(group: Group, entity: object): History;
}

export interface RewindRecord {
  lastRecordedAtMs: number;
  sampleIntervalMs: number;
  /** By order of attachment: what was attached, if that is in the state; how, if it was attached after onCreate(). */
  groups: { refId: number | undefined; all: boolean; late?: AttachOptions | "closure" }[];
  histories: [refId: number, ...{ group: number; timesMs: number[]; columns: number[][] }[]][];
}

interface Attached {
  /** Undefined if nobody saw what it was. */
  target: object | undefined;
  all: boolean;
  options: AttachOptions;
  late: boolean;
}

export class RoomRewind {
  #rewind: Rewind | undefined;
  readonly #attached: Attached[] = [];
  #created = false;

  /** What is attached from now on is attached late. */
  created(): void {
    this.#created = true;
  }

  /** Sees what the author attaches to it. */
  follow(rewind: Rewind): Rewind {
    if (this.#rewind === rewind) return rewind;
    this.#rewind = rewind;
    const inside = rewind as unknown as RewindInside;
    for (const _ of inside.groups)
      this.#attached.push({ target: undefined, all: true, options: { fields: [] }, late: false });
    for (const name of ["attach", "attachAll"] as const) {
      const original = inside[name].bind(rewind);
      inside[name] = (target, options) => {
        this.#attached.push({ target, all: name === "attachAll", options, late: this.#created });
        return original(target, options);
      };
    }
    return rewind;
  }

  /** What is attached late with a closure, which cannot go to another host. */
  closures(): string[] {
    return this.#attached
      .filter(({ late, options }) => late && !isData(options))
      .map(
        () =>
          "something was attached to the rewind buffers after onCreate() with a function for its fields or interpolation, which cannot go to another host; attach it in onCreate(), name the fields, or attach it again in onThaw()",
      );
  }

  export(encoder: Encoder | undefined): RewindRecord | undefined {
    if (this.#rewind === undefined || encoder === undefined) return undefined;
    const { _lastRecordedAt, _sampleIntervalMs, groups } = this.#rewind as unknown as RewindInside;
    const { trees, refIdOf } = lookUp(encoder);
    const histories: RewindRecord["histories"] = [];
    const symbol = historySymbol();
    const seen = new Set<object>();
    for (const group of groups) {
      for (const entity of group.entities()) {
        const refId = refIdOf(entity);
        if (seen.has(entity) || refId === undefined || trees[refId] === undefined) continue;
        seen.add(entity);
        const own = (entity as Record<symbol, History[] | undefined>)[symbol] ?? [];
        histories.push([refId, ...own.map(samples)]);
      }
    }
    return {
      lastRecordedAtMs: _lastRecordedAt,
      sampleIntervalMs: _sampleIntervalMs,
      groups: this.#attached.map(({ target, all, options, late }) => ({
        refId: target && refIdOf(target),
        all,
        ...(late && { late: isData(options) ? options : ("closure" as const) }),
      })),
      histories,
    };
  }

  /** The state is as it was: what was attached is attached to its nodes. @param allow makes the room's rewind buffers */
  import(record: RewindRecord | undefined, encoder: Encoder | undefined, allow: () => Rewind): void {
    if (record === undefined || encoder === undefined) return;
    const { trees } = lookUp(encoder);
    const nodeOf = (refId: number | undefined): object | undefined =>
      refId === undefined ? undefined : (trees[refId]?.ref as unknown as object | undefined);
    const inside = this.follow(this.#rewind ?? allow()) as unknown as RewindInside;
    const early = inside.groups.length;
    /** Here, by number there. */
    const groupOf = new Map<number, Group | undefined>();
    for (const [index, { refId, all, late }] of record.groups.entries()) {
      const node = nodeOf(refId);
      if (late === "closure") continue;
      if (late !== undefined) {
        // What is not in the state any more is not looked at any more; its place is kept.
        inside[all ? "attachAll" : "attach"](node ?? (all ? new Map() : {}), late);
        groupOf.set(index, inside.groups.at(-1));
        continue;
      }
      const group = index < early ? inside.groups[index] : undefined;
      groupOf.set(index, group);
      // onCreate() has attached what is there before the state is filled, which need not be what is there now.
      if (group !== undefined && node !== undefined)
        group.entities = all ? () => (node as Map<unknown, object>).values() : () => [node];
    }
    inside._lastRecordedAt = record.lastRecordedAtMs;
    inside._sampleIntervalMs = record.sampleIntervalMs;
    const symbol = historySymbol();
    for (const [refId, ...histories] of record.histories) {
      const entity = nodeOf(refId);
      if (entity === undefined) continue;
      const own: History[] = [];
      for (const { group: groupId, timesMs, columns } of histories) {
        const group = groupOf.get(groupId);
        if (group === undefined) continue;
        const history = inside.createHistory(group, entity);
        const from = Math.max(0, timesMs.length - history.cap);
        history.t.set(timesMs.slice(from));
        for (const [column, into] of history.cols.entries()) into.set((columns[column] ?? []).slice(from));
        history.count = timesMs.length - from;
        history.head = history.count % history.cap;
        own.push(history);
      }
      (entity as Record<symbol, History[]>)[symbol] = own;
    }
  }
}

const isData = ({ fields, interpolate }: AttachOptions): boolean =>
  typeof fields !== "function" && typeof interpolate !== "function";

function samples({ groupId, cap, t, cols, head, count }: History): {
  group: number;
  timesMs: number[];
  columns: number[][];
} {
  const order = Array.from({ length: count }, (_, i) => (head - count + i + cap) % cap);
  const read = (ring: Float64Array): number[] => order.map((at) => ring[at] ?? 0);
  return { group: groupId, timesMs: read(t), columns: cols.map(read) };
}

function lookUp(encoder: Encoder): {
  trees: Encoder["root"]["changeTrees"];
  refIdOf: (value: object) => number | undefined;
} {
  const trees = encoder.root.changeTrees;
  return { trees, refIdOf: (value) => (isRef(value) ? targetOf(value as Ref)[$refId] : undefined) };
}

/** Under which an entity holds its samples: private to Colyseus, so read off one that it has just made. */
function historySymbol(): symbol {
  const entity = {};
  const own = Rewind.get({});
  own.attach(entity, { fields: [] });
  own.record(0);
  const [symbol] = Object.getOwnPropertySymbols(entity);
  if (symbol === undefined) throw new Error("Colyseus keeps rewind samples elsewhere");
  return symbol;
}
