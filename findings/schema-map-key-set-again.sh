#!/usr/bin/env bash
# @colyseus/schema 5.0.34: a key that is deleted from a map and set again before the next patch goes to the end of the
# server's order and keeps its place in that of all clients. Who walks the map (turns, draft order) sees two orders.
# Seen: server b,c,a; present client and late joiner a,b,c.
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @colyseus/schema@5.0.34 >/dev/null
cat >run.mjs <<'JS'
import { Decoder, Encoder, schema, t } from "@colyseus/schema";

const State = schema({ seats: t.map("string") }, "State");
const server = new State();
const encoder = new Encoder(server);
const present = new State();
const decoder = new Decoder(present);
for (const key of ["a", "b", "c"]) server.seats.set(key, key);
decoder.decode(encoder.encodeAll());
encoder.discardChanges();
server.seats.delete("a");
server.seats.set("a", "again");
decoder.decode(encoder.encode());
encoder.discardChanges();
const late = new State();
new Decoder(late).decode(encoder.encodeAll());
console.log([server, present, late].map(({ seats }) => [...seats.keys()].join(",")).join(" "));
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='b,c,a a,b,c a,b,c'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
