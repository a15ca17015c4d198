#!/usr/bin/env bash
# @colyseus/core 0.18.17 with @colyseus/schema 5.0.34: without a view, who joins late gets nothing of what a t.stream()
# has already sent, while a map filled with the same items arrives whole.
# Seen: 3 items at the server and at the present client, 0 at the late joiner, whose map has 3.
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
const { schema, t } = await import("@colyseus/schema");

const Item = schema({ n: t.number() }, "Item");
const State = schema({ stream: t.stream(Item), map: t.map(Item) }, "State");
let room;
class Field extends Room {
  state = new State();
  onCreate() {
    room = this;
  }
}
const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("field", Field);
await server.listen(0);
const url = `http://127.0.0.1:${server.transport.server.address().port}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const present = await new Client(url).joinOrCreate("field");
await pause(300);
for (let n = 0; n < 3; n++) {
  const streamed = new Item();
  streamed.n = n;
  room.state.stream.add(streamed);
  const kept = new Item();
  kept.n = n;
  room.state.map.set(`item${n}`, kept);
}
await pause(600);
const late = await new Client(url).join("field");
await pause(600);
const sizes = [room.state.stream.size, present.state.stream.size, late.state.stream.size, late.state.map.size];
console.log(sizes.join(" "));
process.exit(0);
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='3 3 0 3'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
