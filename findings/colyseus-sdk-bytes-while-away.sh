#!/usr/bin/env bash
# @colyseus/sdk 0.18.4: what a client sends while its connection is away waits for it with send() and is lost with
# sendBytes(), without an error or a notice.
# Seen: of three of each, sent between drop and reconnection, all texts arrived and no bytes.
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @colyseus/core@0.18.17 @colyseus/ws-transport@0.18.4 @colyseus/sdk@0.18.4 @colyseus/schema@5.0.34 ws@8.23.0 >/dev/null
cat >run.mjs <<'JS'
import { WebSocket } from "ws";

// Node 20 has no global WebSocket, and @colyseus/core reads it when it loads.
globalThis.WebSocket ??= WebSocket;

const { Room, Server } = await import("@colyseus/core");
const { WebSocketTransport } = await import("@colyseus/ws-transport");
const { Client } = await import("@colyseus/sdk");

const got = { text: 0, bytes: 0 };
class Post extends Room {
  onCreate() {
    this.onMessage("text", () => void got.text++);
    this.onMessageBytes("bytes", () => void got.bytes++);
  }
  onDrop(client) {
    this.allowReconnection(client, 10);
  }
}
const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("post", Post);
await server.listen(0);
const url = `http://127.0.0.1:${server.transport.server.address().port}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const room = await new Client(url).joinOrCreate("post");
const dropped = new Promise((resolve) => room.onDrop(() => resolve()));
const back = new Promise((resolve) => room.onReconnect(() => resolve()));
// The SDK reconnects only what has been up for some seconds.
await pause(6_000);
room.connection.transport.ws.terminate();
await dropped;
for (let n = 1; n <= 3; n++) {
  room.send("text", n);
  room.sendBytes("bytes", new Uint8Array([n]));
}
await back;
await pause(500);
console.log(got.text, got.bytes);
process.exit(0);
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='3 0'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
