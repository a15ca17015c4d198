/** Frames of one turn of the loop go out together; those of the next do not wait. */
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { TurnBatch } from "@centroid/protocol";
import { expect, it } from "vitest";

/** A stream that notes how many chunks each write to the system carried. */
function stream() {
  const calls: number[] = [];
  const out = new PassThrough();
  out._writev = (chunks, done) => {
    calls.push(chunks.length);
    done();
  };
  out._write = (_chunk, _encoding, done) => {
    calls.push(1);
    done();
  };
  return { out, calls };
}

it("what is written in one turn leaves in one call, in the next turn in another", async () => {
  const { out, calls } = stream();
  const batch = new TurnBatch(out, setImmediate);
  const write = (): void => {
    batch.open();
    out.write("frame");
  };
  write();
  write();
  write();
  expect(calls).toEqual([]);
  await nextTurn();
  expect(calls).toEqual([3]);
  write();
  await nextTurn();
  expect(calls).toEqual([3, 1]);
});

it("a stream that ends meanwhile still sends everything", async () => {
  const { out, calls } = stream();
  new TurnBatch(out, setImmediate).open();
  out.write("a");
  out.write("b");
  out.end();
  await nextTurn();
  expect(calls.reduce((sum, count) => sum + count, 0)).toBe(2);
});
