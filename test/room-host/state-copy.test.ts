/** A copy of a running state that is kept up by what changes has all of it, whatever the author's code does. */
import { Encoder, schema, t } from "@colyseus/schema";
import fc from "fast-check";
import { expect, it } from "vitest";
import { StateReader } from "../../infra/room-host/dist/colyseus/schema/reader.js";
import type { NodeRecord } from "../../infra/room-host/dist/colyseus/schema/records.js";
import { StateCopy } from "../../infra/room-host/dist/transfer/state-copy.js";

const Item = schema({ kind: t.string(), weight: t.number() }, "Item");
const Unit = schema(
  { x: t.number(), bag: t.array(Item), best: t.ref(Item).optional(), secret: t.number().fullStateOnly() },
  "Unit",
);
const Plain = schema({ x: t.number(), bag: t.array(Item) }, "Plain");
const World = schema(
  {
    tick: t.number(),
    units: t.map(Unit),
    plains: t.map(Plain),
    hidden: t.map(Item).fullStateOnly(),
  },
  "World",
);
type WorldState = InstanceType<typeof World>;

const item = (weight: number): InstanceType<typeof Item> => {
  const made = new Item();
  made.kind = "k";
  made.weight = weight;
  return made;
};

function mutate(state: WorldState, op: number, key: string, value: number): void {
  const unit = state.units.get(key);
  const plain = state.plains.get(key);
  switch (op) {
    case 0: {
      const made = new Unit();
      made.x = value;
      made.secret = value;
      state.units.set(key, made);
      return;
    }
    case 1:
      state.units.delete(key);
      return;
    case 2:
      unit?.bag.push(item(value));
      return;
    case 3:
      if (unit !== undefined && unit.bag.length > 0) unit.bag.shift();
      return;
    case 4:
      if (unit !== undefined) unit.best = item(value);
      return;
    case 5:
      // Not recorded by the encoder, so no patch tells of it.
      if (unit !== undefined) unit.secret = value;
      return;
    case 6:
      state.hidden.set(key, item(value));
      return;
    case 7:
      state.hidden.get(key)?.assign({ weight: value });
      return;
    case 8:
      state.hidden.delete(key);
      return;
    case 9: {
      const made = new Plain();
      made.x = value;
      state.plains.set(key, made);
      return;
    }
    case 10:
      // Paused and resumed between two patches.
      plain?.untracked(() => {
        plain.x = value;
      });
      return;
    case 11:
      plain?.pauseTracking();
      if (plain !== undefined) plain.x = value;
      return;
    case 12:
      plain?.resumeTracking();
      return;
    case 13: {
      // A node that leaves one place for another.
      const moved = unit?.bag.at(0);
      if (moved === undefined || plain === undefined) return;
      unit?.bag.shift();
      plain.bag.push(moved);
      return;
    }
    default:
      state.tick = value;
  }
}

/** A room as far as a copy looks at it. */
function room(): { encoder: Encoder; state: WorldState; room: never } {
  const state = new World();
  const encoder = new Encoder(state as never);
  return { encoder, state, room: { move: { snapshot: { encoder } } } as never };
}

it("holds after any writes exactly what is there, and nothing that left", () => {
  const step = fc.record({
    op: fc.integer({ min: 0, max: 14 }),
    key: fc.constantFrom("a", "b", "c"),
    value: fc.integer({ min: 0, max: 1_000 }),
  });
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 12 }), (patches) => {
      const { encoder, state, room: of } = room();
      mutate(state, 0, "a", 1);
      const copy = new StateCopy(of);
      const held = new Map<number, NodeRecord>();
      for (const patch of [[], ...patches]) {
        for (const { op, key, value } of patch) mutate(state, op, key, value);
        copy.collect();
        encoder.discardChanges();
        const { nodes, removed } = copy.rest();
        for (const node of nodes) held.set(node[0], node);
        for (const refId of removed) held.delete(refId);
        const reader = new StateReader(encoder as never);
        const there = new Map(reader.refIds().map((refId) => [refId, reader.read(refId)]));
        expect(held).toEqual(there);
      }
      copy[Symbol.dispose]();
    }),
  );
});

it("costs what changes, not what there is", () => {
  const { encoder, state, room: of } = room();
  for (let at = 0; at < 10_000; at++) {
    const made = new Plain();
    made.x = at;
    state.plains.set(`${at}`, made);
  }
  const copy = new StateCopy(of);
  copy.rest();
  encoder.discardChanges();
  const untouched = new Set(Object.keys(encoder.root.changeTrees));
  const touched: string[] = [];
  // Whoever walks over all of it reads this.
  encoder.root.changeTrees = new Proxy(encoder.root.changeTrees, {
    get: (target, key) => {
      touched.push(String(key));
      return Reflect.get(target, key);
    },
    ownKeys: () => {
      throw new Error("walked over the whole state");
    },
  });
  for (let at = 0; at < 5; at++) (state.plains.get(`${at * 7}`) as { x: number }).x = -1;
  copy.collect();
  // The world and what it hides are never tracked, so they come each time.
  expect(copy.rest().nodes).toHaveLength(5 + 2);
  expect(untouched.size).toBeGreaterThan(20_000);
  expect(touched.length).toBeLessThan(50);
});
