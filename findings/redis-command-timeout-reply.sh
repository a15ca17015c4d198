#!/usr/bin/env bash
# redis 6.3.1 (node client, against Redis 7.0): `commandOptions.timeout` and `withCommandOptions({ timeout })` end the
# wait of a command that could not be written yet, not the wait for a reply. On a connection that is up and a server
# that takes the command and withholds its answer (here CLIENT PAUSE, 1.5 s), a GET with a timeout of 100 ms neither
# fails after 100 ms nor at all: it resolves once the server answers.
# Seen with a timeout of the client's and of the command's own: answered after about 1,500 ms. A limit for replies needs a timer of one's own.
# Exits with 0 while this is so, with another status once it has changed. Needs redis-server on the PATH.
set -euo pipefail
folder=$(mktemp -d)
pid=
trap 'kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts redis@6.3.1 >/dev/null
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{const{port}=s.address();s.close(()=>console.log(port))})')
redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' --appendonly no >server.log &
pid=$!
cat >run.mjs <<'JS'
import { createClient } from "redis";

const PAUSE_MS = 1_500;
const TIMEOUT_MS = 100;
const socket = { host: "127.0.0.1", port: Number(process.argv[2]) };
const open = async (options = {}) => {
  const client = createClient({ socket, ...options });
  client.on("error", () => undefined);
  return client.connect();
};
const other = await open();
const limited = await open({ commandOptions: { timeout: TIMEOUT_MS } });
await limited.set("room", "here");

const timed = async (what, get) => {
  await other.sendCommand(["CLIENT", "PAUSE", String(PAUSE_MS), "ALL"]);
  const startedAt = performance.now();
  const outcome = await get().then(
    () => "answered",
    (cause) => `failed (${cause.constructor.name})`,
  );
  const tookMs = Math.round(performance.now() - startedAt);
  console.log(`${what}: ${outcome} after ${tookMs} ms`);
  return outcome === "answered" && tookMs > TIMEOUT_MS * 5;
};
const ofClient = await timed("GET with a timeout of the client's", () => limited.get("room"));
const ofCommand = await timed("GET with a timeout of its own", () =>
  other.withCommandOptions({ timeout: TIMEOUT_MS }).get("room"),
);
other.destroy();
limited.destroy();
process.exit(ofClient && ofCommand ? 0 : 1);
JS
node run.mjs "$port"
