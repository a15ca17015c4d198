#!/usr/bin/env bash
# @colyseus/core 0.18.17 (clock and fixed steps): rooms count time by Date.now(). A system clock that is set back by
# 1.5 s stops setFixedTimestep() and clock.setInterval() for 1.5 s; performance.now() would not. The clock is set back
# here by shifting Date.now() before anything loads.
# Seen in one second each, before, right after, and later: steps yes, no, yes; interval yes, no, yes.
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

const systemNow = Date.now;
let shiftMs = 0;
Date.now = () => systemNow() + shiftMs;
const { matchMaker, Room, Server } = await import("@colyseus/core");
const { WebSocketTransport } = await import("@colyseus/ws-transport");

let steps = 0;
let intervals = 0;
class Ticking extends Room {
  onCreate() {
    this.autoDispose = false;
    this.setFixedTimestep(() => void steps++, 60);
    this.clock.setInterval(() => void intervals++, 50);
  }
}
const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("ticking", Ticking);
await server.listen(0);
await matchMaker.createRoom("ticking", {});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const inOneSecond = async () => {
  const [stepsBefore, intervalsBefore] = [steps, intervals];
  await pause(1_000);
  return [steps > stepsBefore, intervals > intervalsBefore].map((ran) => (ran ? "yes" : "no")).join("/");
};
await pause(300);
const before = await inOneSecond();
shiftMs = -1_500;
const behind = await inOneSecond();
await pause(1_500);
console.log(before, behind, await inOneSecond());
process.exit(0);
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='yes/yes no/no yes/yes'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
