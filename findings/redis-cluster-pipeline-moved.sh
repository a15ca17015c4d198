#!/usr/bin/env bash
# redis 6.3.1 (cluster client, against Redis 7.0): after a slot has moved to another node, a single command and
# multi().exec() follow the MOVED answer and learn the new place. multi().execAsPipeline() does neither: it fails with
# MOVED however often it is called, until some other command has taught the client the new place.
# Seen after the move: five pipelines MOVED, then exec ok, then a pipeline ok.
# Exits with 0 while this is so, with another status once it has changed. Needs redis-server on the PATH.
set -euo pipefail
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts redis@6.3.1 >/dev/null
port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{const{port}=s.address();s.close(()=>console.log(port>50000?port-20000:port))})'; }
ports=("$(port)" "$(port)")
for p in "${ports[@]}"; do
  mkdir "$p"
  redis-server --bind 127.0.0.1 --port "$p" --cluster-enabled yes --dir "$folder/$p" --save '' --appendonly no >"$p.log" &
  pids+=($!)
done
cat >run.mjs <<'JS'
import { createClient, createCluster } from "redis";

const ports = process.argv.slice(2).map(Number);
const nodes = await Promise.all(
  ports.map(async (port) => {
    const client = createClient({ RESP: 2, socket: { host: "127.0.0.1", port } });
    client.on("error", () => undefined);
    return client.connect();
  }),
);
const [first, second] = nodes;
await first.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
await second.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
await first.sendCommand(["CLUSTER", "MEET", "127.0.0.1", String(ports[1])]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
for (const node of nodes)
  while (!String(await node.sendCommand(["CLUSTER", "INFO"])).includes("cluster_state:ok")) await pause(100);
const ids = await Promise.all(nodes.map((node) => node.sendCommand(["CLUSTER", "MYID"])));

const cluster = createCluster({
  RESP: 2,
  rootNodes: ports.map((port) => ({ socket: { host: "127.0.0.1", port } })),
});
cluster.on("error", () => undefined);
await cluster.connect();
const key = "room";
const pipeline = () =>
  cluster
    .multi(key)
    .addCommand(key, false, ["GET", key])
    .execAsPipeline()
    .then(
      () => "ok",
      (cause) => String(cause.message).split(" ")[0],
    );
const before = await pipeline();
// As an operator rebalances: the slot, empty as it is, goes to the other node.
const slot = String(await first.sendCommand(["CLUSTER", "KEYSLOT", key]));
const target = Number(slot) < 8192 ? ids[1] : ids[0];
for (const node of nodes) await node.sendCommand(["CLUSTER", "SETSLOT", slot, "NODE", target]);
const after = [];
for (let i = 0; i < 5; i++) after.push(await pipeline());
const exec = await cluster
  .multi(key)
  .addCommand(key, false, ["GET", key])
  .exec()
  .then(
    () => "ok",
    (cause) => String(cause.message).split(" ")[0],
  );
console.log(before, after.join(","), exec, await pipeline());
process.exit(0);
JS
seen=$(timeout 60 node run.mjs "${ports[@]}" 2>&1 | tail -n 1)
expected='ok MOVED,MOVED,MOVED,MOVED,MOVED ok ok'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
