#!/usr/bin/env bash
# geolib 3.3.14: getPreciseDistance() answers NaN for two places nearly opposite each other on Earth (Vincenty's
# formula does not converge there), with no error; a comparison with NaN is then false both ways. getDistance() answers
# a number for the same places.
# Seen: exact opposite NaN, 0.58 degrees off NaN, 10 degrees off a number; getDistance() numbers for all three.
# Exits with 0 while this is so, with another status once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts geolib@3.3.14 >/dev/null
cat >run.cjs <<'JS'
const { getDistance, getPreciseDistance } = require("geolib");

const here = { latitude: 0, longitude: 0 };
const there = [
  { latitude: 0, longitude: 180 },
  { latitude: 0.5, longitude: 179.7 },
  { latitude: 10, longitude: 180 },
];
const kind = (distance) => (Number.isNaN(distance) ? "NaN" : typeof distance);
console.log(
  ...there.map((place) => kind(getPreciseDistance(here, place))),
  ...there.map((place) => kind(getDistance(here, place))),
);
JS
seen=$(node run.cjs)
expected='NaN NaN number number number number'
echo "seen:     $seen"
echo "expected: $expected"
[ "$seen" = "$expected" ]
