/** As much of protobuf as criu's requests, answers and page maps take: numbers, texts and messages within messages. */

const VARINT = 0;
const BYTES = 2;

export type Field = readonly [number: number, value: number | boolean | string | Buffer];

export function encode(fields: readonly Field[]): Buffer {
  const parts: Buffer[] = [];
  for (const [number, value] of fields) {
    if (typeof value === "number" || typeof value === "boolean") {
      parts.push(varint(number * 8 + VARINT), varint(Number(value)));
      continue;
    }
    const bytes = Buffer.from(value as string);
    parts.push(varint(number * 8 + BYTES), varint(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** What a message says, by field; of one that is repeated the last. @throws RangeError for what is no such message */
export function decode(message: Buffer): Map<number, number | Buffer> {
  const found = new Map<number, number | Buffer>();
  for (let at = 0; at < message.length; ) {
    const key = readVarint(message, at);
    const { value, next } = readVarint(message, key.next);
    const number = Math.floor(key.value / 8);
    switch (key.value % 8) {
      case VARINT:
        found.set(number, value);
        at = next;
        break;
      case BYTES:
        if (next + value > message.length) throw new RangeError("a message ends too early");
        found.set(number, message.subarray(next, next + value));
        at = next + value;
        break;
      default:
        throw new RangeError(`field ${number} is of another type`);
    }
  }
  return found;
}

function readVarint(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  let at = from;
  for (let unit = 1; ; unit *= 128) {
    const byte = bytes[at++];
    if (byte === undefined) throw new RangeError("a number ends too early");
    value += (byte & 127) * unit;
    if (byte < 128) return { value, next: at };
  }
}
