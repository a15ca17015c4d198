/** What fifty rooms in containers on one host cost in memory. */
import { readFileSync } from "node:fs";
import { CentroidClient } from "@centroid/sdk";
import { ContainerWorld, containerProblem } from "../container-carrier/container-world.js";
import type { Row } from "./row.js";

const ROOMS = 50;

/** Memory of their own that rooms in containers have, beside each other on one host, each with a player. */
export async function containerMemory(): Promise<Row[]> {
  if ((await containerProblem("memory of rooms in containers")) !== undefined) return [];
  await using world = await ContainerWorld.start("memory", {
    hostIds: ["left"],
    capacityRooms: ROOMS + 1,
  });
  const client = new CentroidClient(world.url, { probing: false });
  try {
    const own: number[] = [];
    const roomIds: string[] = [];
    for (let at = 0; at < ROOMS; at++)
      roomIds.push((await client.create("arena", { name: `player ${at}` })).roomId);
    for (const roomId of roomIds) own.push(privateBytes(await world.pidOf("left", roomId)));
    const group = `rooms in containers, ${ROOMS} on one host, memory of their own`;
    const mean = own.reduce((sum, bytes) => sum + bytes, 0) / own.length;
    return [
      { group, figure: "mean", value: mean / 1e6, unit: "MB", aim: { max: 40 } },
      { group, figure: "most", value: Math.max(...own) / 1e6, unit: "MB", aim: { max: 40 } },
    ];
  } finally {
    client.dispose();
  }
}

/** Of a container's first process and all others. */
function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const own = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return (
    own.reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1024, 0) +
    children.reduce((sum, child) => sum + privateBytes(Number(child)), 0)
  );
}
