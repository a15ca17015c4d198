/** What players' clients send on a WebSocket, in chunks of any size, read as `ws` reads it; and what breaks its rules. */
import type { Writable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { FrameReader } from "../../infra/gateway/dist/websocket/frame-reader.js";

/** Of `ws`; its types leave them out. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: object) => Writable;
  Sender: { frame: (data: Buffer, options: object) => Buffer[] };
};
const MAX_BYTES = 128 * 1024;
type Heard = { message: string } | { ping: string } | { close: number } | { violation: number };

function read(chunks: readonly Buffer[], maxBytes = MAX_BYTES): Heard[] {
  const heard: Heard[] = [];
  const reader = new FrameReader(maxBytes, {
    onMessage: (data) => void heard.push({ message: data.toString("base64") }),
    onPing: (data) => void heard.push({ ping: data.toString("base64") }),
    onPong: () => undefined,
    onClose: (code) => void heard.push({ close: code }),
    onViolation: (code) => void heard.push({ violation: code }),
  });
  for (const chunk of chunks) reader.take(Buffer.from(chunk));
  return heard;
}

/** As another implementation reads it. */
function readByWs(bytes: Buffer): Heard[] {
  const heard: Heard[] = [];
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_BYTES });
  receiver.on("message", (data: Buffer) => void heard.push({ message: data.toString("base64") }));
  receiver.on("ping", (data: Buffer) => void heard.push({ ping: data.toString("base64") }));
  receiver.on("conclude", (code: number) => void heard.push({ close: code }));
  receiver.on("error", () => undefined);
  receiver.write(Buffer.from(bytes));
  if (receiver.errored !== null) heard.push({ violation: 0 });
  return heard;
}

const frame = (opcode: number, data: Buffer, fin = true): Buffer =>
  Buffer.concat(Sender.frame(data, { fin, opcode, mask: true, readOnly: true, rsv1: false }));

/** What is in use once all else was collected. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 130 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_530, max: 65_540 }).map((length) => new Uint8Array(length).fill(7)),
  },
);
const frames = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: payload.map((data) => [frame(2, Buffer.from(data))]) },
      { weight: 2, arbitrary: fc.string({ maxLength: 40 }).map((text) => [frame(1, Buffer.from(text))]) },
      {
        weight: 1,
        arbitrary: fc.uint8Array({ maxLength: 125 }).map((data) => [frame(9, Buffer.from(data))]),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(payload, payload, fc.uint8Array({ maxLength: 20 }))
          .map(([a, b, ping]) => [
            frame(2, Buffer.from(a), false),
            frame(9, Buffer.from(ping)),
            frame(0, Buffer.from(b)),
          ]),
      },
    ),
    { maxLength: 12 },
  )
  .map((list) => Buffer.concat(list.flat()));

describe("frames of players", () => {
  it("are read the same in any chunks, and as another implementation reads them", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1 }), (bytes, sizes) => {
        const chunks: Buffer[] = [];
        for (let at = 0, n = 0; at < bytes.byteLength; n++) {
          const size = sizes[n % sizes.length] ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const codeless = (what: Heard): Heard => ("violation" in what ? { violation: 0 } : what);
        expect(read(chunks).map(codeless)).toEqual(readByWs(bytes));
      }),
      { numRuns: 200 },
    );
  });

  it("of any bytes break no more than their connection, as another implementation says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const chunk = Buffer.from(bytes);
        const kinds = (heard: Heard[]): string[] => heard.map((what) => Object.keys(what)[0] ?? "");
        expect(kinds(read([chunk]))).toEqual(kinds(readByWs(chunk)));
      }),
      { numRuns: 500 },
    );
  });

  it("that are unmasked, too large, or of no kind end the connection with the code for it", () => {
    const unmasked = Buffer.from([0x82, 1, 0]);
    expect(read([unmasked])).toEqual([{ violation: 1002 }]);
    expect(read([frame(2, Buffer.alloc(101))], 100)).toEqual([{ violation: 1009 }]);
    // The whole message counts, and it is refused before it has come.
    expect(read([frame(2, Buffer.alloc(60), false), frame(0, Buffer.alloc(60)).subarray(0, 8)], 100)).toEqual(
      [{ violation: 1009 }],
    );
    expect(read([Buffer.from([2, 0xff, 0, 0, 0, 0, 0, 2, 0, 1])])).toEqual([{ violation: 1009 }]);
    // What comes in between does not.
    const between = [
      frame(2, Buffer.alloc(60), false),
      frame(9, Buffer.alloc(60)),
      frame(0, Buffer.alloc(40)),
    ];
    expect(read(between, 100).map((what) => Object.keys(what)[0])).toEqual(["ping", "message"]);
    expect(read([frame(3, Buffer.alloc(1))])).toEqual([{ violation: 1002 }]);
    expect(read([frame(0, Buffer.alloc(1))])).toEqual([{ violation: 1002 }]);
    expect(read([frame(1, Buffer.from([0xc3, 0x28]))])).toEqual([{ violation: 1007 }]);
    expect(read([frame(8, Buffer.from([3, 236]))])).toEqual([{ violation: 1002 }]);
    expect(read([frame(8, Buffer.from([0x0f, 0xa0])), frame(2, Buffer.alloc(1))])).toEqual([{ close: 4000 }]);
  });

  it("that come in any number of parts, empty ones too, take no more memory than their bytes", () => {
    const heard: Buffer[] = [];
    const ignore = (): void => undefined;
    const events = { onPing: ignore, onPong: ignore, onClose: ignore, onViolation: ignore };
    const reader = new FrameReader(MAX_BYTES, { ...events, onMessage: (data) => void heard.push(data) });
    const parts = 300_000;
    const first = frame(2, Buffer.from("a"), false);
    const empty = Buffer.concat(Array.from({ length: 1_000 }, () => frame(0, Buffer.alloc(0), false)));
    reader.take(Buffer.from(first));
    const before = heapBytes();
    for (let at = 0; at < parts; at += 1_000) reader.take(Buffer.from(empty));
    expect(heapBytes() - before).toBeLessThan(4 * 1024 * 1024);
    for (let at = 0; at < 1_000; at++) reader.take(frame(0, Buffer.from("b"), false));
    reader.take(frame(0, Buffer.from("c")));
    expect(heard.map(String)).toEqual([`a${"b".repeat(1_000)}c`]);
  });
});
