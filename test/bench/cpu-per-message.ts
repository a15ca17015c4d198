/** What a message costs each of several processes. */
import type { Room } from "@colyseus/sdk";
import { cpuMsOf } from "../support/processes.js";

const MESSAGES_PER_PLAYER_PER_S = 100;
const SLICE_MS = 3_000;

/** µs of CPU of each process per message while every player sends at a steady rate. */
export async function cpuPerMessage(rooms: readonly Room[], pids: readonly number[]): Promise<number[]> {
  const beforeMs = pids.map(cpuMsOf);
  let sent = 0;
  const start = performance.now();
  while (performance.now() - start < SLICE_MS) {
    for (const room of rooms) room.send("say", ++sent);
    const due = start + ((sent / rooms.length) * 1000) / MESSAGES_PER_PLAYER_PER_S;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  await rooms[0]?.request("echo", 1);
  return pids.map((pid, at) => ((cpuMsOf(pid) - (beforeMs[at] ?? 0)) / sent) * 1e3);
}
