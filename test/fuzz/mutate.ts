/** Turns good inputs into bad ones: values into strange values, texts and bytes into broken ones. */
import type { Draw } from "../support/draw.js";

const NUMBERS = [0, -0, -1, 1, 0.5, 65_536, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, -1e308, 5e-324];
const STRINGS = [
  "",
  " ",
  "a",
  "0",
  "-1",
  "NaN",
  "null",
  "__proto__",
  "constructor",
  "\u0000",
  "\ud800",
  "é",
  "💥",
  "../../etc/passwd",
];
const KEYS = ["__proto__", "constructor", "toString", "type", "method", "event", "", "roomId", "0", "length"];
/** Long, yet far from what takes seconds by itself. */
const LONG_CHARS = 20_000;
const DEEP = 200;

/** A value of the same kind of world, of any type. */
function strange(draw: Draw): unknown {
  switch (draw.below(9)) {
    case 0:
      return draw.of(NUMBERS);
    case 1:
      return draw.of(STRINGS);
    case 2:
      return draw.unit() < 0.02
        ? draw.of(STRINGS).padEnd(LONG_CHARS, "x")
        : draw.of(STRINGS).repeat(draw.below(4));
    case 3:
      return null;
    case 4:
      return draw.unit() < 0.5;
    case 5:
      return [];
    case 6:
      return { [draw.of(KEYS)]: draw.of(STRINGS) };
    case 7:
      return draw.unit() < 0.05 ? deep() : [[[]]];
    default:
      return Array.from({ length: draw.below(6) }, () => draw.of(NUMBERS));
  }
}

function deep(): unknown {
  let value: unknown = 1;
  for (let i = 0; i < DEEP; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** A copy of the value with one to a few places changed. The original stays. */
export function mutateValue(value: unknown, draw: Draw): unknown {
  const holder = { value: structuredClone(value) };
  for (let changes = 1 + draw.below(3); changes > 0; changes--) change(holder, draw);
  return holder.value;
}

function change(holder: { value: unknown }, draw: Draw): void {
  let parent: Record<string, unknown> = holder;
  let key = "value";
  // Down to some place, every depth about as likely.
  for (;;) {
    const here = parent[key];
    if (!(Array.isArray(here) || isPlain(here)) || draw.unit() < 0.25) break;
    const keys = Object.keys(here);
    if (keys.length === 0) break;
    parent = here as Record<string, unknown>;
    key = draw.of(keys);
  }
  const roll = draw.unit();
  const here = parent[key];
  if (roll < 0.15 && parent !== (holder as unknown)) Reflect.deleteProperty(parent, key);
  else if (roll < 0.3 && isPlain(here))
    Object.defineProperty(here, draw.of(KEYS), {
      value: strange(draw),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  else if (roll < 0.4 && Array.isArray(here)) here.push(...here, strange(draw));
  else if (roll < 0.5 && typeof here === "number") parent[key] = here + draw.of(NUMBERS);
  else parent[key] = strange(draw);
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** The bytes with some flipped, cut out, doubled or put in; now and then nothing but noise. */
export function mutateBytes(bytes: Uint8Array, draw: Draw): Buffer {
  if (draw.unit() < 0.1) return draw.bytes(draw.below(64));
  let made = Buffer.from(bytes);
  for (let changes = draw.below(4); changes > 0 && made.length > 0; changes--) {
    const at = draw.below(made.length);
    switch (draw.below(4)) {
      case 0:
        made[at] = draw.below(256);
        break;
      case 1:
        made = made.subarray(0, at);
        break;
      case 2:
        made = Buffer.concat([made.subarray(0, at), draw.bytes(1 + draw.below(8)), made.subarray(at)]);
        break;
      default:
        made = Buffer.concat([made, made.subarray(at)]);
    }
  }
  return made;
}

const SNIPPETS = [
  ",",
  ";",
  "\t",
  '"',
  "\n",
  "\r\n",
  "\ufeff",
  "#",
  "{",
  "}",
  "[",
  "]",
  ":",
  "1e999",
  "-",
  "NaN",
  "\u0000",
  "null",
];

export function mutateText(text: string, draw: Draw): string {
  if (draw.unit() < 0.05) return draw.bytes(draw.below(64)).toString("latin1");
  let made = text;
  for (let changes = draw.below(4); changes > 0; changes--) {
    const at = draw.below(made.length + 1);
    const cut = draw.unit() < 0.5 ? draw.below(4) : 0;
    const put = draw.unit() < 0.1 ? made.slice(at, at + 200) : draw.of(SNIPPETS);
    made = made.slice(0, at) + put + made.slice(at + cut);
  }
  return made;
}
