/**
 * The guest program of the migration benchmark: pushes a numbered frame to every client each 10 ms and puts
 * the chosen load on the machine. Stands where the room host stands in a real room's VM.
 *
 * Frame: u32 sequence, u32 payload length, payload. A client may send a line: `load <kind> <mebibytes>`.
 */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, Socket } from "node:net";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const port = 2567;
const pushIntervalMs = 10;
/** A burst of room traffic per push, for the network load: 3.2 MB/s per client. */
const networkPayloadBytes = 32 * 1024;
const pageBytes = 4096;

function dirtyMemory(mebibytes, pauseMs) {
  const pages = Buffer.alloc(mebibytes * 1024 * 1024);
  let value = 1;
  const pass = () => {
    for (let at = 0; at < pages.length; at += pageBytes) pages[at] = value & 255;
    value++;
    setTimeout(pass, pauseMs);
  };
  pass();
}

function writeFiles(mebibytes) {
  const content = Buffer.alloc(mebibytes * 1024 * 1024, 7);
  let turn = 0;
  setInterval(() => writeFileSync(`/tmp/load-${turn++ % 2}`, content), 100);
}

function compute() {
  let x = 1;
  const burst = () => {
    for (let i = 0; i < 200_000; i++) x = (x * 1103515245 + 12345) & 0x7fffffff;
    setImmediate(burst);
  };
  burst();
}

/** In a thread of its own, so that the load competes for the machine and not for the push timer's loop. */
function runLoad({ kind, mebibytes }) {
  if (kind === "memory") dirtyMemory(mebibytes, 0);
  if (kind === "storage") writeFiles(Math.min(mebibytes, 8));
  if (kind === "compute") compute();
  if (kind === "mixed") {
    dirtyMemory(Math.ceil(mebibytes / 4), 20);
    writeFiles(2);
  }
}

function serve() {
  const clients = new Set();
  let worker;
  let payloadBytes = 8;

  async function setLoad(kind, mebibytes) {
    await worker?.terminate();
    worker = undefined;
    payloadBytes = kind === "network" || kind === "mixed" ? networkPayloadBytes : 8;
    if (["memory", "storage", "compute", "mixed"].includes(kind)) {
      worker = new Worker(new URL(import.meta.url), { workerData: { kind, mebibytes } });
    }
  }

  const server = createServer((socket) => {
    const client = { socket, sequence: 0 };
    clients.add(client);
    socket.setNoDelay(true);
    socket.on("close", () => clients.delete(client));
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      const [verb, kind, mebibytes] = data.toString().trim().split(" ");
      if (verb === "load") void setLoad(kind, Number(mebibytes ?? 32));
    });
  });

  setInterval(() => {
    for (const client of clients) {
      const frame = Buffer.alloc(8 + payloadBytes);
      frame.writeUInt32BE(client.sequence++ >>> 0, 0);
      frame.writeUInt32BE(payloadBytes, 4);
      client.socket.write(frame);
    }
  }, pushIntervalMs);

  server.listen(port, "0.0.0.0", () => {
    const control = new Socket({
      fd: Number(process.env.CENTROID_CONTROL_FD ?? 3),
      readable: true,
      writable: true,
    });
    control.on("data", (data) => {
      for (const line of data.toString().split("\n")) {
        if (line === "uuid")
          control.write(`uuid ${randomUUID({ disableEntropyCache: true })} ${Date.now()}\n`);
      }
    });
    control.write(`ready ${port}\n`);
  });
}

if (isMainThread) serve();
else runLoad(workerData);
