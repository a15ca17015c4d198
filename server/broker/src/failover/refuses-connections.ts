/**
 * Whether the process that listened at an address has ended. Only a port that refuses shows that: a connection that
 * breaks, or silence, may be the network's, and the process may be running its rooms.
 */
import { isRefusal } from "@centroid/protocol/node";
import { WebSocket } from "ws";
import type { Clock } from "../base/clock.js";

/** A refusal takes one way there and back. */
const REFUSAL_TIMEOUT_MS = 500;

/** @param address `host:port[/path]` as its agent gave it; what another machine answers there is no refusal either */
export function refusesConnections(address: string, clock: Clock): Promise<boolean> {
  // Of a room from before a start nothing is known but its host.
  if (address === "") return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${address}`);
    const answer = (refuses: boolean): void => {
      cancel();
      resolve(refuses);
      socket.terminate();
    };
    const cancel = clock.after(REFUSAL_TIMEOUT_MS, () => answer(false));
    socket.on("open", () => answer(false));
    socket.on("close", () => answer(false));
    socket.on("error", (cause) => answer(isRefusal(cause)));
  });
}
