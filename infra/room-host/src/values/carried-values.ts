/**
 * Authors' values on their way to another host: what onFreeze() returns, `auth`, `userData`, arguments of timers and
 * server-only fields. Structured clones whose identities and cycles survive, also from one value to another; whatever
 * would not arrive as it left is refused with the path to it.
 */
import { CentroidError } from "@centroid/protocol";

/** A primitive as it is; an object by its place in the heap; what MessagePack does not tell apart by name. */
export type CarriedValue =
  | string
  | number
  | boolean
  | null
  | readonly [place: number]
  | readonly ["undefined" | "hole" | "-0"]
  | readonly ["bigint", text: string];

/** One object, with what it holds by place in the heap. */
export type CarriedObject =
  | readonly ["object" | "bare", keys: string[], slots: CarriedValue[]]
  | readonly ["array" | "set", slots: CarriedValue[]]
  | readonly ["map", keys: CarriedValue[], slots: CarriedValue[]]
  | readonly ["date", ms: number]
  | readonly ["regexp", source: string, flags: string]
  | readonly ["error", name: string, message: string, stack: string, keys: string[], slots: CarriedValue[]]
  | readonly ["bytes", view: string, bytes: Uint8Array]
  | readonly ["url", href: string]
  | readonly ["link", to: Link]
  | readonly ["made", kind: number, keys: string[], slots: CarriedValue[]];

/** Names an object that is at both hosts already. */
type Link = string | number;
/** Objects that stand for each other at both hosts: nodes of the room's state, clients, timers. */
export interface Links {
  /** @returns undefined for any other object */
  linkOf(value: object): Link | undefined;
  objectOf(link: Link): object | undefined;
  /** Of an object that both hosts know how to make: what it holds. @returns undefined for any other object */
  partsOf(value: object): Parts | undefined;
  /** An empty one. */
  make(kind: number): object;
  fill(object: object, parts: Parts): void;
}

/** What an object holds, by key where it has keys. */
export interface Parts {
  kind: number;
  keys: readonly string[];
  values: readonly unknown[];
}

const NO_LINKS: Links = {
  linkOf: () => undefined,
  objectOf: () => undefined,
  partsOf: () => undefined,
  make: () => ({}),
  fill: () => undefined,
};

const VIEWS = {
  Buffer,
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;
const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError } as const;

interface Found {
  value: object;
  from: Found | undefined;
  /** Of this value in the one that it was found in, as one would write it. */
  step: string;
}

/** Values that leave together: an object that several of them point at arrives once. */
export class OutgoingValues {
  readonly #links: Links;
  readonly #places = new Map<object, number>();
  readonly #found: Found[] = [];
  /** All objects so far. */
  readonly heap: CarriedObject[] = [];

  constructor(links: Links = NO_LINKS) {
    this.#links = links;
  }

  /**
   * @param what names the value in the error, such as "what onFreeze() returned"
   * @throws CentroidError ROOM_NOT_MOVABLE with the path to what cannot be carried; then nothing of this value is
   */
  add(value: unknown, what: string): CarriedValue {
    const mark = this.#found.length;
    const refuse = (kind: string, from: Found | undefined, step: string): never => {
      let path = step;
      for (let at = from; at !== undefined; at = at.from) path = at.step + path;
      throw new CentroidError("ROOM_NOT_MOVABLE", `${what}${path === "" ? "" : ` at ${path}`} is ${kind}`);
    };
    const slot = (it: unknown, from: Found | undefined, step: string): CarriedValue =>
      this.#slot(it, from, step, refuse);
    try {
      const root = slot(value, undefined, "");
      // Not by recursion: a list of many thousand links is deep.
      for (let place = mark; place < this.#found.length; place++) {
        const at = this.#found[place] as Found;
        this.heap.push(shellOf(at, slot, (kind) => refuse(kind, at, ""), this.#links));
      }
      return root;
    } catch (cause) {
      for (const { value: half } of this.#found.splice(mark)) this.#places.delete(half);
      this.heap.length = mark;
      throw cause;
    }
  }

  #slot(
    it: unknown,
    from: Found | undefined,
    step: string,
    refuse: (kind: string, from: Found | undefined, step: string) => never,
  ): CarriedValue {
    switch (typeof it) {
      case "string":
      case "boolean":
        return it;
      case "number":
        return Object.is(it, -0) ? ["-0"] : it;
      case "undefined":
        return ["undefined"];
      case "bigint":
        return ["bigint", it.toString()];
      case "object": {
        if (it === null) return null;
        const known = this.#places.get(it);
        if (known !== undefined) return [known];
        this.#places.set(it, this.#found.length);
        this.#found.push({ value: it, from, step });
        return [this.#found.length - 1];
      }
      default:
        return refuse(`a ${typeof it}, which cannot go to another host; make it anew there`, from, step);
    }
  }
}

function shellOf(
  at: Found,
  slot: (value: unknown, from: Found, step: string) => CarriedValue,
  refuse: (kind: string) => never,
  links: Links,
): CarriedObject {
  const { value } = at;
  const link = links.linkOf(value);
  if (link !== undefined) return ["link", link];
  const parts = links.partsOf(value);
  if (parts !== undefined) {
    const { kind, keys, values } = parts;
    const slots = values.map((it, i) => slot(it, at, keys.length > 0 ? stepTo(keys[i] ?? "") : `[${i}]`));
    return ["made", kind, [...keys], slots];
  }
  const entries = (): [keys: string[], slots: CarriedValue[]] => {
    const keys = Object.keys(value);
    const own = value as Record<string, unknown>;
    return [keys, keys.map((key) => slot(own[key], at, stepTo(key)))];
  };
  if (Array.isArray(value))
    return ["array", Array.from(value, (it, i) => (i in value ? slot(it, at, `[${i}]`) : ["hole"]))];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return ["bare", ...entries()];
  // By prototype: instances of subclasses would arrive without what makes them that.
  switch (prototype) {
    case Object.prototype:
      return ["object", ...entries()];
    case Map.prototype: {
      const map = [...(value as Map<unknown, unknown>)];
      const keys = map.map(([key]) => slot(key, at, " (a key)"));
      return ["map", keys, map.map(([key, it]) => slot(it, at, `.get(${JSON.stringify(key) ?? "?"})`))];
    }
    case Set.prototype:
      return ["set", [...(value as Set<unknown>)].map((it, i) => slot(it, at, ` (entry ${i})`))];
    case Date.prototype:
      return ["date", (value as Date).getTime()];
    case RegExp.prototype:
      return ["regexp", (value as RegExp).source, (value as RegExp).flags];
    case URL.prototype:
      return ["url", (value as URL).href];
    case ArrayBuffer.prototype:
      return ["bytes", "ArrayBuffer", new Uint8Array(value as ArrayBuffer).slice()];
    case Promise.prototype:
      return refuse("a promise: wait for it first and give what it resolves to");
    default:
  }
  for (const [name, View] of Object.entries(VIEWS)) {
    if (prototype !== View.prototype) continue;
    const { buffer, byteOffset, byteLength } = value as Uint8Array;
    return ["bytes", name, new Uint8Array(buffer, byteOffset, byteLength).slice()];
  }
  for (const [name, Kind] of Object.entries(ERRORS)) {
    if (prototype !== Kind.prototype) continue;
    const { message, stack = "" } = value as Error;
    return ["error", name, message, stack, ...entries()];
  }
  const name = (value as { constructor?: { name?: string } }).constructor?.name || "a class";
  return refuse(
    `an instance of ${name}, which would arrive without its methods; give its data as a plain object and make the instance from it there`,
  );
}

const stepTo = (key: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;

/** Values that have arrived together. */
export class IncomingValues {
  readonly #objects: unknown[];
  readonly #links: Links;

  /** @throws CentroidError FRAME_INVALID if this is not what {@link OutgoingValues} made */
  constructor(heap: readonly CarriedObject[], links: Links = NO_LINKS) {
    this.#links = links;
    this.#objects = heap.map((shell) => emptyOf(shell, links));
    heap.forEach((shell, place) => {
      this.#fill(this.#objects[place], shell);
    });
  }

  get(value: CarriedValue | undefined): unknown {
    if (!Array.isArray(value)) return value;
    const [kind, text] = value as readonly [number | string, string?];
    if (typeof kind === "number") return this.#objects[kind];
    return kind === "bigint" ? BigInt(text ?? 0) : kind === "-0" ? -0 : undefined;
  }

  #fill(object: unknown, shell: CarriedObject): void {
    switch (shell[0]) {
      case "object":
      case "bare":
        this.#assign(object as object, shell[1], shell[2]);
        return;
      case "error":
        this.#assign(object as object, shell[4], shell[5]);
        return;
      case "array":
        shell[1].forEach((slot, i) => {
          if (!(Array.isArray(slot) && slot[0] === "hole")) (object as unknown[])[i] = this.get(slot);
        });
        return;
      case "set":
        for (const slot of shell[1]) (object as Set<unknown>).add(this.get(slot));
        return;
      case "made": {
        const [, kind, keys, slots] = shell;
        this.#links.fill(object as object, { kind, keys, values: slots.map((slot) => this.get(slot)) });
        return;
      }
      case "map":
        shell[1].forEach((key, i) => {
          (object as Map<unknown, unknown>).set(this.get(key), this.get(shell[2][i]));
        });
        return;
      default:
        return;
    }
  }

  #assign(object: object, keys: readonly string[], slots: readonly CarriedValue[]): void {
    keys.forEach((key, i) => {
      // Not by assignment: "__proto__" is a key like any other here.
      Object.defineProperty(object, key, {
        value: this.get(slots[i]),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    });
  }
}

function emptyOf(shell: CarriedObject, links: Links): unknown {
  switch (shell[0]) {
    case "object":
      return {};
    case "bare":
      return Object.create(null);
    case "array":
      return new Array(shell[1].length);
    case "set":
      return new Set();
    case "map":
      return new Map();
    case "date":
      return new Date(shell[1]);
    case "regexp":
      return new RegExp(shell[1], shell[2]);
    case "url":
      return new URL(shell[1]);
    case "error": {
      const Kind = (ERRORS as Record<string, ErrorConstructor>)[shell[1]] ?? Error;
      const error = new Kind(shell[2]);
      Object.defineProperty(error, "stack", { value: shell[3], writable: true, configurable: true });
      return error;
    }
    case "bytes":
      return viewOf(shell[1], shell[2]);
    case "link":
      return links.objectOf(shell[1]);
    case "made":
      return links.make(shell[1]);
    default: {
      const never: never = shell;
      throw new CentroidError("FRAME_INVALID", `unknown value ${JSON.stringify(never)}`);
    }
  }
}

function viewOf(name: string, bytes: Uint8Array): unknown {
  // A copy of its own: the bytes lie in a frame, at any offset.
  const { buffer } = bytes.slice();
  if (name === "ArrayBuffer") return buffer;
  if (name === "Buffer") return Buffer.from(buffer);
  const View = (VIEWS as unknown as Record<string, new (buffer: ArrayBufferLike) => unknown>)[name];
  if (View === undefined) throw new CentroidError("FRAME_INVALID", `unknown view ${name}`);
  return new View(buffer);
}
