/** Players who come and go: what of 100,000 of them is left in a broker's heap. */
import { CENTROID_OPTIONS_KEY, PROTOCOL_VERSION } from "@centroid/protocol";
import { load } from "./load.js";
import { LoneBroker } from "./lone-broker.js";
import type { Row } from "./row.js";

/** After so many players the heap is looked at; the first fill what is remembered up to a bound, and warm up the code. */
const STAGES = [10_000, 50_000, 100_000];
const STANDING_ROOMS = 50;
/** Of the players: those who make a room of their own, which ends with them. */
const MAKE_EVERY = 5;
/** Places that players come from; of each place the broker remembers who was measured there last. */
const NETWORKS = 500;
const KIB = 1024;
const SETTLE_MS = 2_000;
const POLL_MS = 50;
/** Any record of a player, its id alone, is more; the heap itself varies by a few MB from look to look. */
const MOST_BYTES_PER_PLAYER = 64;

export async function churn(): Promise<Row[]> {
  await using lone = await LoneBroker.start();
  const there = (): { rooms: number; players: number } => {
    const { rooms, players } = lone.broker.events.snapshot();
    return { rooms: rooms.length, players: players.length };
  };
  const used = async (): Promise<number> => {
    while (there().players > STANDING_ROOMS || there().rooms > STANDING_ROOMS)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    return lone.usedBytes(SETTLE_MS);
  };
  const roomIds: string[] = [];
  await load(STANDING_ROOMS, async () => {
    roomIds.push(await lone.join("create/plain"));
    return 0;
  });
  // From now on who comes goes again.
  lone.host.send("leave");
  let come = 0;
  const heaps: number[] = [];
  for (const stage of STAGES) {
    await load(stage - come, async (at) => {
      const method = at % MAKE_EVERY === 0 ? "create/plain" : `joinById/${roomIds[at % roomIds.length]}`;
      await lone.join(method, hintsOf(at));
      return 0;
    });
    come = stage;
    heaps.push(await used());
  }
  const [first = 0, ...later] = heaps;
  const group = "broker, players who came and left, heap";
  const last = later.at(-1) ?? first;
  return [
    ...STAGES.map((stage, at) => ({
      group,
      figure: `after ${stage.toLocaleString("en")}`,
      value: (heaps[at] ?? Number.NaN) / KIB / KIB,
      unit: "MB",
    })),
    {
      group,
      figure: `left of each after the first ${(STAGES[0] ?? 0).toLocaleString("en")}`,
      value: (last - first) / (come - (STAGES[0] ?? 0)),
      unit: "B",
      aim: { max: MOST_BYTES_PER_PLAYER },
    },
  ];
}

/** Somebody from one of some places, who has measured the host. */
const hintsOf = (at: number): object => ({
  [CENTROID_OPTIONS_KEY]: {
    protocol: PROTOCOL_VERSION,
    network: `network-${at % NETWORKS}`,
    probes: [{ hostId: "host", rttsMs: [10, 11, 12] }],
  },
});
