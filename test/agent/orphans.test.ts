/** Processes whose parent dies while they start must not stay behind. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleRooms } from "@centroid/room-host/bundling";
import { afterAll, beforeAll, expect, it } from "vitest";

const DIST = join(import.meta.dirname, "../../infra");
let folder: string;
let roomsBundle: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-orphans-"));
  ({ path: roomsBundle } = await bundleRooms(join(import.meta.dirname, "../fixtures/rooms"), folder));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  [
    "room host",
    "room-host/dist/main.js",
    "CENTROID_ROOM_HOST",
    { processId: "p", checkpointIntervalMs: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
  ],
  [
    "agent",
    "agent/dist/main.js",
    "CENTROID_AGENT",
    { brokerUrls: ["ws://127.0.0.1:1"], token: "t", hostId: "h", name: "H", latitude: 0, longitude: 0 },
  ],
])("a %s ends if its parent is gone before it has started", async (_name, main, variable, own) => {
  const config = { bindHost: "127.0.0.1", advertiseHost: "127.0.0.1", roomsBundle, ...own };
  const child = fork(join(DIST, main), [], {
    env: { ...process.env, [variable]: JSON.stringify(config) },
    serialization: "advanced",
    stdio: "ignore",
  });
  try {
    const gone = once(child, "exit");
    child.disconnect();
    const [code, signal] = await gone;
    expect([code, signal]).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
