/** Contract with @colyseus/schema 5.0.34: a state that moves keeps its refIds, so clients go on decoding. */
import { readFileSync } from "node:fs";
import { type Decoder, Encoder, Reflection, type Schema, schema, t } from "@colyseus/schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StateReader } from "../../infra/room-host/dist/colyseus/schema/reader.js";
import type { NodeRecord } from "../../infra/room-host/dist/colyseus/schema/records.js";
import { StateWriter } from "../../infra/room-host/dist/colyseus/schema/writer.js";

const Item = schema({ kind: t.string(), weight: t.number() }, "Item");
const Player = schema(
  {
    x: t.number(),
    name: t.string(),
    bag: t.array(Item),
    best: t.ref(Item).optional(),
    marks: t.map("number"),
  },
  "Player",
);
const World = schema(
  {
    tick: t.number(),
    players: t.map(Player),
    loot: t.array(Item),
    scores: t.map("number"),
    tags: t.set("string"),
    title: t.string(),
  },
  "World",
);
type WorldState = InstanceType<typeof World>;

/** One author-like mutation; instances are never shared between parents, which Colyseus itself does not support. */
function mutate(state: WorldState, op: number, key: string, value: number): void {
  const player = state.players.get(key);
  switch (op % 14) {
    case 0:
    case 1: {
      const fresh = new Player();
      fresh.name = key;
      fresh.x = value;
      state.players.set(key, fresh);
      break;
    }
    case 2:
      state.players.delete(key);
      break;
    case 3:
    case 4: {
      if (player === undefined) break;
      const item = new Item();
      item.kind = key;
      item.weight = value;
      player.bag.push(item);
      break;
    }
    case 5:
      if (player !== undefined && player.bag.length > 0) player.bag.shift();
      break;
    case 6: {
      if (player === undefined) break;
      const item = new Item();
      item.weight = value;
      player.best = item;
      break;
    }
    case 7: {
      const item = new Item();
      item.kind = "loot";
      item.weight = value;
      state.loot.push(item);
      break;
    }
    case 8:
      if (state.loot.length > 0) state.loot.splice(value % state.loot.length, 1);
      break;
    case 9:
      state.scores.set(key, value);
      break;
    case 10:
      state.scores.delete(key);
      break;
    case 11:
      if (value % 2 === 0) state.tags.add(key);
      else state.tags.delete(key);
      break;
    case 12:
      player?.marks.set(`m${value % 3}`, value);
      break;
    default:
      state.tick = (state.tick ?? 0) + 1;
  }
}

const sorted = (json: unknown): unknown =>
  Array.isArray(json)
    ? json.map(sorted)
    : typeof json === "object" && json !== null
      ? Object.fromEntries(
          Object.entries(json)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([k, v]) => [k, sorted(v)]),
        )
      : json;

/** Moves a state the way a hand-off does: fuzzy first pass with writes in between, then the dirty rest. */
function move(encoder: Encoder<Schema>, writeBetween: () => void): Encoder<Schema> {
  const reader = new StateReader(encoder);
  const target = new World();
  target.title = "made by the destination's onCreate";
  target.players.set("ghost", new Player());
  const spare = new Encoder(target);
  const writer = new StateWriter(spare as unknown as Encoder);
  const first: NodeRecord[] = [];
  const sent = reader.refIds();
  const dirty = new Set<number>();
  sent.forEach((refId, position) => {
    const record = reader.read(refId);
    if (record !== undefined) first.push(structuredClone(record));
    if (position === Math.floor(sent.length / 2)) {
      writeBetween();
      reader.collectDirty(dirty);
    }
  });
  writer.apply(first);
  const attached = new Encoder(target) as unknown as Encoder;
  writer.attach(attached);
  const rest: NodeRecord[] = [];
  for (const refId of dirty) {
    const record = reader.read(refId);
    if (record !== undefined) rest.push(structuredClone(record));
  }
  writer.apply(rest);
  writer.forget(sent.filter((refId) => !reader.has(refId)));
  writer.finish(reader.nextRefId);
  for (const refId of reader.refIds()) {
    expect(new StateReader(attached).read(refId)).toEqual(reader.read(refId));
  }
  expect(new StateReader(attached).refIds().sort()).toEqual(reader.refIds().sort());
  return attached as unknown as Encoder<Schema>;
}

describe("state graph", () => {
  it("is written for this version of @colyseus/schema", () => {
    const manifest = new URL("../../node_modules/@colyseus/schema/package.json", import.meta.url);
    expect(JSON.parse(readFileSync(manifest, "utf8")).version).toBe("5.0.34");
  });

  it("moves any state exactly, and a client that knows nothing of it goes on decoding (STATE-1)", () => {
    const step = fc.tuple(fc.nat(13), fc.constantFrom("a", "b", "c", "d"), fc.nat(99));
    fc.assert(
      fc.property(
        fc.array(fc.record({ ops: fc.array(step, { maxLength: 4 }), move: fc.boolean(), late: step }), {
          maxLength: 25,
        }),
        (ticks) => {
          let encoder = new Encoder<Schema>(new World());
          const client = Reflection.decode(Reflection.encode(encoder)) as Decoder;
          client.decode(encoder.encodeAll().slice());
          encoder.discardChanges();
          const flush = (): void => {
            client.decode(encoder.encode().slice());
            encoder.discardChanges();
          };
          for (const tick of ticks) {
            for (const [op, key, value] of tick.ops) mutate(encoder.state as WorldState, op, key, value);
            flush();
            if (tick.move) {
              const late = (): void => mutate(encoder.state as WorldState, ...tick.late);
              const source = encoder;
              const destination = move(source, late);
              flush();
              encoder = destination;
            }
            expect(sorted((client.state as Schema).toJSON())).toEqual(sorted(encoder.state.toJSON()));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keeps numbers exact that Colyseus' own codec rounds (STATE-2)", () => {
    const state = new World();
    state.tick = 0.1 + 0.2;
    const encoder = new Encoder<Schema>(state);
    const moved = move(encoder, () => undefined);
    expect((moved.state as WorldState).tick).toBe(0.1 + 0.2);
  });

  it("keeps the instances the destination's onCreate captured", () => {
    const target = new World();
    const { players } = target;
    const spare = new Encoder(target);
    const source = new World();
    source.players.set("a", new Player());
    const reader = new StateReader(new Encoder(source) as unknown as Encoder);
    const writer = new StateWriter(spare as unknown as Encoder);
    writer.apply(reader.refIds().map((refId) => reader.read(refId)!));
    expect(target.players).toBe(players);
    expect(players.has("a")).toBe(true);
  });
});
