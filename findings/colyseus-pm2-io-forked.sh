#!/usr/bin/env bash
# @colyseus/core 0.18.17 with its optional peer @pm2/io 6.1.0 installed: a server in a forked child takes whoever forked it
# for pm2. It sends messages of pm2's on the parent's channel, which nobody asked for, and ends with status 1 when the
# parent closes that channel. Without @pm2/io it says nothing and goes on.
# Seen: with it, messages axm:action, axm:monitor and axm:option:configuration, then exit 1; without it, none, and it lives.
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >child.mjs <<'JS'
import { WebSocket } from "ws";

// Node 20 has no global WebSocket, and @colyseus/core reads it when it loads.
globalThis.WebSocket ??= WebSocket;
const { Server } = await import("@colyseus/core");
const { WebSocketTransport } = await import("@colyseus/ws-transport");

const server = new Server({ transport: new WebSocketTransport({}), greet: false, gracefullyShutdown: false });
await server.listen(0);
setInterval(() => undefined, 1_000);
JS
cat >run.mjs <<'JS'
import { fork } from "node:child_process";

const child = fork("./child.mjs", { stdio: ["ignore", "ignore", "ignore", "ipc"] });
const types = new Set();
child.on("message", (message) => types.add(message?.type));
const pause = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
await pause(6_000);
const ended = new Promise((resolve) => child.once("exit", (code) => resolve(`exit ${code}`)));
child.disconnect();
console.log([...types].sort().join(",") || "none", await Promise.race([ended, pause(6_000, "lives")]));
child.kill("SIGKILL");
JS
npm init -y >/dev/null
install() { npm install --silent --no-audit --no-fund --ignore-scripts "$@" >/dev/null; }
install @colyseus/core@0.18.17 @colyseus/ws-transport@0.18.4 ws@8.23.0
seen=$(node run.mjs)
install @pm2/io@6.1.0
seen="$seen; $(node run.mjs)"
expected='none lives; axm:action,axm:monitor,axm:option:configuration exit 1'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
