/** Ends a connection to Redis just as it dials again; this process has to end by itself then. */
import { once } from "node:events";
import { createServer } from "node:net";
import { connectRedis } from "@centroid/broker";

const server = createServer((socket) => {
  // Enough of a Redis: a null for whatever it is asked.
  socket.on("data", (asked) => socket.write("$-1\r\n".repeat((`${asked}`.match(/\*\d/g) ?? []).length)));
  socket.on("error", () => undefined);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const first = once(server, "connection");
let connection;
// It dials at once when it has said that its connection broke, and is not connected yet.
const warn = () => queueMicrotask(() => connection.destroy());
connection = await connectRedis(`redis://127.0.0.1:${server.address().port}`, { warn });
const [broken] = await first;
const second = once(server, "connection");
broken.destroy();
const [socket] = await second;
await once(socket, "data");
socket.unref();
server.close();
