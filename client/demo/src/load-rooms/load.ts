/** The room of `centroid bench migrate`: pushes a numbered frame every 10 ms and does something else beside that. */
import { Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { z } from "zod";

export const loadRoomLoads = ["idle", "network", "memory", "compute"] as const;

const optionsSchema = z.object({
  load: z.enum(loadRoomLoads),
  /** Memory that it holds beside what a room needs. */
  residentMegabytes: z.number().int().min(0).max(1_000),
});
type Load = z.output<typeof optionsSchema>["load"];

const PUSH_INTERVAL_MS = 10;
/** 3.2 MB/s for each client. */
const NETWORK_BYTES = 32 * 1024;
/** Written once every tenth of a second. */
const MEMORY_BYTES = 32 << 20;
const PAGE_BYTES = 4_096;
const PUSHES_PER_PASS = 10;
/** Half of a core. */
const COMPUTE_MS = 5;

const LoadState = schema({ loaded: t.boolean() }, "LoadState");

export default class LoadRoom extends Room {
  override state = new LoadState();
  /** Of the last frame; travels with the room. */
  frames = 0;

  override onCreate(options: unknown): void {
    const { load, residentMegabytes } = optionsSchema.parse(options);
    const ballast = Buffer.alloc(residentMegabytes << 20, 1);
    const work = workOf(load);
    const bytes = new Uint8Array(load === "network" ? NETWORK_BYTES : 0);
    this.setSimulationInterval(() => {
      work(this.frames);
      // Read, so that it stays.
      this.broadcast("frame", { n: this.frames++, held: ballast.length, bytes });
    }, PUSH_INTERVAL_MS);
  }
}

function workOf(load: Load): (turn: number) => void {
  switch (load) {
    case "idle":
    case "network":
      return () => undefined;
    case "memory": {
      const pages = Buffer.alloc(MEMORY_BYTES);
      return (turn) => {
        const first = (turn % PUSHES_PER_PASS) * PAGE_BYTES;
        for (let at = first; at < pages.length; at += PUSHES_PER_PASS * PAGE_BYTES) pages[at] = turn & 255;
      };
    }
    case "compute":
      return () => {
        for (const until = performance.now() + COMPUTE_MS; performance.now() < until; );
      };
    default: {
      const never: never = load;
      throw new TypeError(String(never));
    }
  }
}
