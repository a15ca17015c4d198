#!/usr/bin/env bash
# redis 6.3.1: destroy() while a client is dialling again (its connection broke, and the next one is not connected yet)
# says that the client is closed, but the connection is opened all the same, becomes ready, and keeps the process alive
# for ever. Calling unref() at the "connect" event that still comes lets the process end.
# Seen: "end", then "connect" and "ready" after it; the process is ended by timeout (status 124).
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts redis@6.3.1 >/dev/null
cat >run.mjs <<'JS'
import { createServer } from "node:net";
import { createClient } from "redis";

// Enough of a Redis: OK to whatever it is asked. Its end of a connection keeps nobody alive.
const sockets = [];
const server = createServer((socket) => {
  sockets.push(socket.unref());
  socket.on("error", () => undefined);
  socket.on("data", (asked) => socket.write("+OK\r\n".repeat((String(asked).match(/\*\d/g) ?? []).length)));
});
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  const client = createClient({ RESP: 2, socket: { host: "127.0.0.1", port } });
  client.on("error", () => undefined);
  await client.connect();
  for (const event of ["end", "connect", "ready"]) client.on(event, () => console.log(event));
  client.on("ready", () => server.close());
  client.once("reconnecting", () => queueMicrotask(() => queueMicrotask(() => client.destroy())));
  sockets[0].destroy();
  server.unref();
});
JS
status=0
seen=$(timeout 10 node run.mjs) || status=$?
echo "$seen"
echo "status $status"
[ "$seen" = $'end\nconnect\nready' ] && [ "$status" = 124 ]
