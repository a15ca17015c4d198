/**
 * A room driven from outside, event by event: the same events in the same order make the same room of it at two hosts.
 * Its own timers do nothing meanwhile.
 */
import { CentroidError } from "@centroid/protocol";
import { ClientState } from "@colyseus/core";
import type { MovableClient } from "./movable-client.js";
import { type MovableRoom, movableClients } from "./movable-room.js";

/** @returns why the room cannot be driven just now */
export function whyNotInStep(room: MovableRoom): string | undefined {
  const { activity, backlog } = room.move;
  if (activity.reconnecting.size > 0 || activity.awaited.size > 0) return "a player is away";
  if (movableClients(room).some(({ state }) => state !== ClientState.JOINED)) return "a player is joining";
  if (activity.busy) return "an async handler is still running";
  if (!backlog.endIdle()) return "inputs of the last move are still waiting";
  return undefined;
}

export class Lockstep {
  readonly #room: MovableRoom;
  readonly #clients: ReadonlyMap<string, MovableClient>;

  /** From here on the room does what it is told to. */
  constructor(room: MovableRoom) {
    this.#room = room;
    this.#clients = new Map(movableClients(room).map((client) => [client.sessionId, client]));
    room.move.clock.driveInSteps();
  }

  /** Timers and simulation. */
  turn(steps: number): void {
    for (let step = 0; step < steps; step++) goOn(() => this.#room.move.clock.turn());
  }

  patch(): void {
    goOn(() => this.#room.move.clock.drive(() => this.#room.broadcastPatch()));
  }

  /** What a client has said at the other host. @throws CentroidError FRAME_INVALID for one that is not here */
  frame(sessionId: string, frame: Uint8Array): void {
    const client = this.#clients.get(sessionId);
    if (client === undefined) throw new CentroidError("FRAME_INVALID", `a frame of session ${sessionId}`);
    client.link.mirror(Buffer.from(frame));
  }
}

/** An author's code that throws ends a turn, as in a timer, and no more than that. */
function goOn(run: () => void): void {
  try {
    run();
  } catch (cause) {
    queueMicrotask(() => {
      throw cause;
    });
  }
}
