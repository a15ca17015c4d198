/** Colyseus itself, with the same rooms: what a room does there is what it has to do here. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleRooms } from "@centroid/room-host/bundling";
import { matchMaker, RegisteredHandler, Server, type Room as ServerRoom } from "@colyseus/core";
import { Client, type Room } from "@colyseus/sdk";
import { uWebSocketsTransport } from "@colyseus/uwebsockets-transport";
import { freePort } from "./free-port.js";

export interface BareColyseus extends AsyncDisposable {
  readonly url: string;
}

/** One at a time: its match maker belongs to the process. */
export async function startBareColyseus(roomsDir: string): Promise<BareColyseus> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bare-"));
  const { path } = await bundleRooms(roomsDir, folder);
  const { rooms } = (await import(pathToFileURL(path).href)) as {
    rooms: Record<string, (new () => ServerRoom) | RegisteredHandler>;
  };
  const server = new Server({
    transport: new uWebSocketsTransport(),
    greet: false,
    gracefullyShutdown: false,
  });
  for (const [name, definition] of Object.entries(rooms)) {
    if (definition instanceof RegisteredHandler) {
      definition.name = name;
      matchMaker.addRoomType(definition);
    } else server.define(name, definition);
  }
  const port = await freePort();
  await server.listen(port);
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.gracefullyShutdown(false);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A stock client that does not go looking for its rooms when the systems end. */
export class Player extends Client {
  async take(seat: unknown): Promise<Room> {
    const room = (await super.consumeSeatReservation(seat as never)) as Room;
    room.reconnection.enabled = false;
    return room;
  }

  override consumeSeatReservation(seat: unknown): Promise<never> {
    return this.take(seat) as Promise<never>;
  }
}

/** A message and its answer, of type `TYPE:ok`. */
export function ask<T>(room: Room, type: string, message?: unknown): Promise<T> {
  const answer = new Promise<T>((resolve) => {
    const stop = room.onMessage(`${type}:ok`, (value: T) => {
      stop();
      resolve(value);
    });
  });
  room.send(type, message);
  return answer;
}
