/** Authors' values as they arrive on another host, and the path to what would not arrive as it left. */

import { expect, it } from "vitest";
import { z } from "zod";
import { pack, unpack } from "../../infra/room-host/dist/transfer/packing.js";
import {
  type CarriedObject,
  type CarriedValue,
  IncomingValues,
  OutgoingValues,
} from "../../infra/room-host/dist/values/carried-values.js";

interface Sent {
  heap: CarriedObject[];
  roots: CarriedValue[];
}

/** There and back by the bytes that a hand-off sends. */
function arrive(values: readonly unknown[]): unknown[] {
  const outgoing = new OutgoingValues();
  const roots = values.map((value) => outgoing.add(value, "it"));
  const sent = unpack(pack({ heap: outgoing.heap, roots }), z.custom<Sent>(), "values");
  const incoming = new IncomingValues(sent.heap);
  return sent.roots.map((root) => incoming.get(root));
}
const arrives = (value: unknown): unknown => arrive([value])[0];

it.each<[string, unknown]>([
  [
    "primitives",
    ["", "é\u0000", true, false, null, undefined, 0, 1.5, Number.NaN, -Infinity, 2n ** 80n, -1n],
  ],
  ["objects", { a: { b: [{}] }, "": 1, "a b": 2 }],
  [
    "maps and sets",
    new Map<unknown, unknown>([
      [{ k: 1 }, new Set([1, new Set()])],
      ["x", new Map()],
    ]),
  ],
  ["dates, expressions, addresses", [new Date(5), /a\/b/giu, new URL("https://example.test/a?b")]],
  [
    "views",
    [Buffer.from("ab"), new Float64Array([1.5, -0]), new DataView(new ArrayBuffer(3)), new ArrayBuffer(2)],
  ],
])("%s arrive as they left", (_what, value) => {
  expect(arrives(value)).toStrictEqual(value);
});

it("identity, cycles, holes, errors and awkward keys survive", () => {
  const shared = { n: 1 };
  const cyclic: Record<string, unknown> = { one: shared, two: shared };
  cyclic.self = cyclic;
  const back = arrives(cyclic) as typeof cyclic;
  expect([back.self === back, back.one === back.two]).toEqual([true, true]);
  const holes = arrives(Object.assign(new Array(3), { 0: 1, 2: 3 })) as unknown[];
  expect([holes.length, 1 in holes, 2 in holes]).toEqual([3, false, true]);
  expect(Object.is(arrives(-0), -0)).toBe(true);
  const error = arrives(Object.assign(new RangeError("far", { cause: 1 }), { code: "X" })) as RangeError;
  expect([error instanceof RangeError, error.message, (error as { code?: string }).code]).toEqual([
    true,
    "far",
    "X",
  ]);
  const keyed = arrives(JSON.parse('{"__proto__": {"polluted": true}}')) as object;
  expect([Object.keys(keyed), "polluted" in keyed]).toEqual([["__proto__"], false]);
  expect(Object.getPrototypeOf(arrives(Object.create(null)) as object)).toBe(null);
});

it("a list of twenty thousand links is no deeper than one", () => {
  let list: { next: unknown } = { next: null };
  for (let n = 0; n < 20_000; n++) list = { next: list };
  let length = 0;
  for (let at = arrives(list) as typeof list | null; at !== null; at = at.next as typeof list | null)
    length++;
  expect(length).toBe(20_001);
});

it.each<[unknown, string]>([
  [Promise.resolve(1), "it is a promise"],
  [{ a: [() => 1] }, "it at .a[0] is a function"],
  [{ "a b": Symbol("s") }, 'it at ["a b"] is a symbol'],
  [new Map([["k", { v: new (class Pet {})() }]]), 'it at .get("k").v is an instance of Pet'],
  [[new WeakMap()], "it at [0] is an instance of WeakMap"],
  [new (class Scores extends Map {})(), "it is an instance of Scores"],
])("what cannot go is refused with the path to it", (value, reason) => {
  expect(() => new OutgoingValues().add(value, "it")).toThrow(reason);
});

it("what several values point at is one object there, too, and a value that cannot go leaves nothing behind", () => {
  const shared = { n: 1 };
  const [list, byName] = arrive([[shared], new Map([["one", shared]])]) as [object[], Map<string, object>];
  expect(byName.get("one")).toBe(list[0]);
  const outgoing = new OutgoingValues();
  expect(() => outgoing.add({ shared, bad: () => 1 }, "it")).toThrow("it at .bad is a function");
  expect(outgoing.heap).toEqual([]);
  const root = outgoing.add([shared], "it");
  expect(new IncomingValues(outgoing.heap).get(root)).toEqual([{ n: 1 }]);
});
