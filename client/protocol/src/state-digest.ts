/**
 * A digest of a Colyseus state, the same at a room's host and at its players if they have the same. Reads the insides of
 * @colyseus/schema 5.0.34 by shape, so that this package does not need it; the contract test names that version.
 */

/** FNV-1a, 32 bit (draft-eastlake-fnv), over words, run twice with different offsets for 64 bits. */
const FNV_PRIME = 0x01000193;
const FNV_OFFSET = 0x811c9dc5;
const SECOND_OFFSET = 0x9e3779b9;

const REF_ID = Symbol.for("$refId");
const CHILD_TYPE = Symbol.for("$childType");
const PROXY_TARGET = Symbol.for("$proxyTarget");
const METADATA: symbol =
  (Symbol as unknown as { metadata?: symbol }).metadata ?? Symbol.for("Symbol.metadata");

interface Node {
  constructor: object;
  [REF_ID]?: number;
  [CHILD_TYPE]?: unknown;
  [PROXY_TARGET]?: Node;
  items?: unknown[];
  $items?: Map<string | number, unknown>;
  journal?: { keyByIndex: Map<number, string> };
}
interface Field {
  name: string;
  type: unknown;
}

/** A field that not every player has as the room has it: type of its class, and its index. */
export type SkippedField = [type: number, index: number];

export interface DigestOptions {
  /** Fields that are left out, with all that is below them. */
  skip: readonly SkippedField[];
  /** Of a class of the state, as it is numbered on the wire. */
  typeOf: (klass: object) => number | undefined;
  /** A value as whoever it is sent to has it; not given where it has been sent already. */
  asSent?: (value: unknown, type: unknown) => unknown;
}

export interface StateDigest {
  hash: string;
  /** Of each node, by its refId. */
  nodes: ReadonlyMap<number, number>;
}

/** @param state root of a state */
export function digestState(state: object, options: DigestOptions): StateDigest {
  const nodes = new Map<number, number>();
  const { asSent } = options;
  const entriesOf = reader(options);
  const hash = new NodeHash();
  let [low, high] = [0, 0];
  const left: Node[] = [state as Node];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    const refId = node[REF_ID] ?? 0;
    if (nodes.has(refId)) continue;
    hash.begin(refId);
    entriesOf(node, (key, value, type) => {
      if (typeof key === "number") hash.word(key);
      else hash.text(key);
      if (!isNode(value)) hash.value(asSent === undefined ? value : asSent(value, type));
      else {
        hash.word(value[REF_ID] ?? 0);
        left.push(value);
      }
    });
    nodes.set(refId, hash.low >>> 0);
    low = (low + hash.low) >>> 0;
    high = (high + hash.high) >>> 0;
  }
  return { hash: high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0"), nodes };
}

/** Where nodes are in a state, as an author would write it. */
export function pathsOf(state: object, refIds: ReadonlySet<number>, options: DigestOptions): string[] {
  const paths: string[] = [];
  const entriesOf = reader(options);
  const seen = new Set<number>();
  const left: [Node, string][] = [[state as Node, ""]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [node, path] = next;
    const refId = node[REF_ID] ?? 0;
    if (seen.has(refId)) continue;
    seen.add(refId);
    if (refIds.has(refId)) paths.push(path === "" ? "the state's own fields" : path);
    entriesOf(node, (key, value) => {
      if (isNode(value)) left.push([value, path === "" ? `${key}` : `${path}.${key}`]);
    });
  }
  return paths;
}

/** Puts a map's entries into the order of its wire indexes that is given; entries that it does not name follow. */
export function orderMap(map: object, indexes: readonly number[]): void {
  const { $items, journal } = map as Node;
  if ($items === undefined || journal === undefined) return;
  const entries: [string | number, unknown][] = [];
  for (const index of indexes) {
    const key = journal.keyByIndex.get(index);
    if (key === undefined || !$items.has(key)) continue;
    entries.push([key, $items.get(key)]);
    $items.delete(key);
  }
  const rest = [...$items];
  $items.clear();
  for (const [key, value] of [...entries, ...rest]) $items.set(key, value);
}

type Entry = (key: string | number, value: unknown, type: unknown) => void;

/** Reads what a node has, in its order. */
function reader({ skip, typeOf }: DigestOptions): (node: Node, entry: Entry) => void {
  const known = new Map<object, readonly Field[]>();
  const fieldsOf = (klass: object): readonly Field[] => {
    const type = typeOf(klass);
    const metadata = (klass as Record<symbol, Record<string, Field> | undefined>)[METADATA] ?? {};
    const skipped = new Set(skip.filter(([of]) => of === type).map(([, index]) => `${index}`));
    return Object.keys(metadata)
      .filter((key) => /^\d+$/.test(key) && !skipped.has(key))
      .flatMap((key) => metadata[key] ?? []);
  };
  return (shown, entry) => {
    // Arrays are shown through a proxy, which is slow to read.
    const node = shown[PROXY_TARGET] ?? shown;
    const type = node[CHILD_TYPE];
    if (Array.isArray(node.items)) {
      for (let index = 0; index < node.items.length; index++) entry(index, node.items[index], type);
      return;
    }
    if (node.$items instanceof Map) {
      for (const [key, value] of node.$items) entry(key, value, type);
      return;
    }
    let fields = known.get(node.constructor);
    if (fields === undefined) {
      fields = fieldsOf(node.constructor);
      known.set(node.constructor, fields);
    }
    const values = node as unknown as Record<string, unknown>;
    for (const field of fields) entry(field.name, values[field.name], field.type);
  };
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && (value as Node)[REF_ID] !== undefined;

/** Of one node at a time. */
class NodeHash {
  low = 0;
  high = 0;
  readonly #float = new Float64Array(1);
  readonly #words = new Int32Array(this.#float.buffer);

  begin(refId: number): void {
    this.low = FNV_OFFSET;
    this.high = SECOND_OFFSET;
    this.word(refId);
  }

  word(word: number): void {
    this.low = Math.imul(this.low ^ word, FNV_PRIME);
    this.high = Math.imul(this.high ^ word, FNV_PRIME) ^ (this.high >>> 15);
    this.low ^= this.low >>> 13;
  }

  text(text: string): void {
    this.word(text.length);
    for (let at = 0; at < text.length; at++) this.word(text.charCodeAt(at));
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "number":
        // Minus zero is zero on the wire.
        this.#float[0] = value === 0 ? 0 : value;
        this.word(this.#words[0] ?? 0);
        this.word(this.#words[1] ?? 0);
        return;
      case "string":
        this.text(value);
        return;
      case "boolean":
        this.word(value ? 1 : 2);
        return;
      default:
        // Null, which is sent as the absence of a value, and what is rare.
        this.text(
          value === undefined || value === null
            ? ""
            : value instanceof Uint8Array
              ? value.join()
              : String(value),
        );
    }
  }
}
