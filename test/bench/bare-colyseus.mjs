/** The same rooms on bare Colyseus and uWebSockets.js: what the broker's overhead is measured against. */
import { pathToFileURL } from "node:url";
import { Server } from "@colyseus/core";
import { uWebSocketsTransport } from "@colyseus/uwebsockets-transport";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;
const { rooms } = await import(pathToFileURL(process.argv[2]).href);
const server = new Server({ transport: new uWebSocketsTransport(), greet: false, gracefullyShutdown: false });
for (const [name, room] of Object.entries(rooms)) server.define(name, room);
const port = Number(process.argv[3]);
await server.listen(port);
process.send?.({ port });
process.on("disconnect", () => process.exit(0));
