#!/usr/bin/env bash
# @colyseus/core 0.18.17: the "dispose" event of a room type fires before an asynchronous onDispose() has begun, so
# who saves or counts rooms by it acts while the room still writes.
# Seen: event, then onDispose begins, then onDispose is through.
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

const { matchMaker, Room, Server } = await import("@colyseus/core");
const { WebSocketTransport } = await import("@colyseus/ws-transport");

const order = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
class Saving extends Room {
  async onDispose() {
    order.push("begins");
    await pause(200);
    order.push("through");
  }
}
const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("saving", Saving).on("dispose", () => order.push("event"));
await server.listen(0);
const { roomId } = await matchMaker.createRoom("saving", {});
await matchMaker.getLocalRoomById(roomId).disconnect();
await pause(500);
console.log(order.join(" "));
process.exit(0);
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='event begins through'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
