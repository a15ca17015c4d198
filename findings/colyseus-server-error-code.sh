#!/usr/bin/env bash
# @colyseus/core 0.18.17: a ServerError with a code of the author's own above 599, thrown in static onAuth() or onCreate(),
# does not reach the player: its code is taken for an HTTP status, which has to be 200 to 599. In onJoin() any code arrives.
# Seen: 403 "no ticket" arrives; 4321 "no ticket" arrives as 500 "Internal Server Error".
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

const { Room, Server, ServerError } = await import("@colyseus/core");
const { WebSocketTransport } = await import("@colyseus/ws-transport");
const { Client } = await import("@colyseus/sdk");

class Gate extends Room {
  static async onAuth(_token, { code }) {
    throw new ServerError(code, "no ticket");
  }
}
const server = new Server({ transport: new WebSocketTransport({}), greet: false });
server.define("gate", Gate);
const port = 20_000 + Math.floor(Math.random() * 20_000);
await server.listen(port);
const client = new Client(`http://127.0.0.1:${port}`);
const seen = [];
for (const code of [403, 4321]) {
  const cause = await client.create("gate", { code }).catch((error) => error);
  seen.push(`${code}: ${cause.code} ${cause.message}`);
}
console.log(seen.join("; "));
process.exit(0);
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='403: 403 no ticket; 4321: 500 Internal Server Error'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
