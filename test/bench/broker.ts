/** What the broker with six agents costs at rest, and how fast it creates rooms and seats players. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { Cli } from "../support/run-cli.js";
import { CONCURRENCY, call, load } from "./load.js";
import type { Row } from "./row.js";

const PLAIN_ROOMS = join(import.meta.dirname, "../fixtures/plain-rooms");
const FIRST_ROOMS = 1_000;
/** Programs that have just started are slower for a while: a rate that lasts is measured after that. */
const MORE_ROOMS = 4_000;
const JOINS = 4_000;
/** Rooms that nobody comes to end after 15 s: the newest are joined. */
const JOINED_ROOMS = 1_000;
const HOSTS = ["a", "b", "c", "d", "e", "f"];
/** Enough that every host has had one. */
const WARM_UP_ROOMS = 60;

export async function broker(): Promise<Row[]> {
  await using cli = await Cli.create();
  const config = join(cli.folder, "bench.config.ts");
  const hosts = HOSTS.map((hostId) => ({
    hostId,
    name: hostId,
    latitude: 0,
    longitude: 0,
    capacityRooms: FIRST_ROOMS + MORE_ROOMS,
  }));
  await writeFile(config, `export default { hosts: ${JSON.stringify(hosts)} };\n`);
  const up = cli.start(["up", "--port", "0", "--config", config, "--rooms", PLAIN_ROOMS, "--no-limits"]);
  const [, url = ""] = await up.says(/(http:\S+)/);
  await up.says(/rooms: /);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const rssBytes = await groupRss(up.child.pid ?? 0);
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const roomIds: string[] = [];
  const post = async (path: string): Promise<number> => {
    const startedMs = performance.now();
    const body = await call(agent, `${url}${path}`);
    if (path.includes("/create/")) roomIds.push(body.roomId);
    return performance.now() - startedMs;
  };
  // The first room of each host waits for its process; that is not what is measured.
  for (let i = 0; i < WARM_UP_ROOMS; i++) await post("/matchmake/create/plain");
  const first = await load(FIRST_ROOMS, () => post("/matchmake/create/plain"));
  const more = await load(MORE_ROOMS, () => post("/matchmake/create/plain"));
  const newest = roomIds.slice(-JOINED_ROOMS);
  const joined = await load(JOINS, (i) => post(`/matchmake/joinById/${newest[i % newest.length]}`));
  agent.destroy();
  await up.kill("SIGINT");
  const group = "broker and six agents, two cores shared with the load";
  return [
    {
      group,
      figure: "resident memory of all processes, idle",
      value: rssBytes / 1024 / 1024,
      unit: "MB",
      aim: { max: 600 },
    },
    { group, figure: "first 1,000 rooms created", value: first.perSecond, unit: "/s" },
    { group, figure: "first 1,000 rooms p99", value: first.p99Ms, unit: "ms" },
    { group, figure: "rooms created from then on", value: more.perSecond, unit: "/s", aim: { min: 500 } },
    { group, figure: "room creation p99", value: more.p99Ms, unit: "ms", aim: { max: 250 } },
    {
      group,
      figure: "seats reserved in existing rooms",
      value: joined.perSecond,
      unit: "/s",
      aim: { min: 1_000 },
    },
    { group, figure: "seat p99", value: joined.p99Ms, unit: "ms", aim: { max: 250 } },
  ];
}

/** Sum over the processes of a group, from /proc. Shared pages count once per process. */
async function groupRss(groupId: number): Promise<number> {
  let pages = 0;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")).split(") ")[1]?.split(" ");
    if (fields !== undefined && Number(fields[2]) === groupId) pages += Number(fields[21]);
  }
  return pages * 4096;
}
