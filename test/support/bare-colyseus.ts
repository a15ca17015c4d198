/** Colyseus itself, with the same rooms: what a room does there is what it has to do here. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleRooms } from "@centroid/room-host/bundling";
import { matchMaker, RegisteredHandler, type Room, Server } from "@colyseus/core";
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
    rooms: Record<string, (new () => Room) | RegisteredHandler>;
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
