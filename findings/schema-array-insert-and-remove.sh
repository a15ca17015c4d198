#!/usr/bin/env bash
# @colyseus/schema 5.0.34: an item that is inserted into an array of primitives anywhere but at its end, and removed
# again before the next patch, costs every present client a neighbour of it, for good: nothing corrects it later.
# A late joiner, who gets the full state, sees what the server has. Instances of Schema in the array are not affected.
# Seen: server a,b,c; present client a,c after insert and remove at index 1; present client b,c after unshift and shift.
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @colyseus/schema@5.0.34 >/dev/null
cat >run.mjs <<'JS'
import { Decoder, Encoder, schema, t } from "@colyseus/schema";

const State = schema({ items: t.array("string") }, "State");
function afterOnePatch(change) {
  const server = new State();
  const encoder = new Encoder(server);
  const present = new State();
  const decoder = new Decoder(present);
  server.items.push("a", "b", "c");
  decoder.decode(encoder.encodeAll());
  encoder.discardChanges();
  change(server.items);
  decoder.decode(encoder.encode());
  encoder.discardChanges();
  const late = new State();
  new Decoder(late).decode(encoder.encodeAll());
  return [server, present, late].map(({ items }) => [...items].join(","));
}
const inserted = afterOnePatch((items) => {
  items.splice(1, 0, "x");
  items.splice(1, 1);
});
const unshifted = afterOnePatch((items) => {
  items.unshift("x");
  items.shift();
});
console.log([...inserted, ...unshifted].join(" "));
JS
seen=$(node run.mjs 2>/dev/null | tail -n 1)
expected='a,b,c a,c a,b,c a,b,c b,c a,b,c'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
