/** CPU that a room host spends per message, against the same room on bare Colyseus, in turns in one run. */

import { join } from "node:path";
import { quantileOf } from "@centroid/placement";
import { DisposalStack } from "@centroid/protocol/node";
import { Client, type Room } from "@colyseus/sdk";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import { startBareColyseus } from "./bare-server.js";
import { cpuPerMessage } from "./cpu-per-message.js";
import type { Row } from "./row.js";

const PLAYERS = 20;
const SLICES = 7;

export async function messageCpu(): Promise<Row[]> {
  const roomsDir = join(import.meta.dirname, "../fixtures/rooms");
  await using owned = new DisposalStack();
  const bare = await startBareColyseus(roomsDir, owned);
  await using pair = await PairOfHosts.start(roomsDir);
  const roomId = await pair.create("ledger");
  const ours = (await Promise.all(
    Array.from({ length: PLAYERS }, () => pair.client().joinById(roomId)),
  )) as unknown as Room[];
  const first = await new Client(bare.url).create("ledger");
  const theirs = [
    first,
    ...(await Promise.all(
      Array.from({ length: PLAYERS - 1 }, () => new Client(bare.url).joinById(first.roomId)),
    )),
  ];
  for (const room of [...ours, ...theirs]) room.onMessage("shot", () => undefined);
  const ratios: number[] = [];
  const perMessage: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    const { pid } = pair.carriers.a;
    if (pid === undefined) throw new Error("process has ended");
    const [a = 0] = await cpuPerMessage(ours, [pid]);
    const [b = 0] = await cpuPerMessage(theirs, [bare.pid]);
    ratios.push(a / b);
    perMessage.push(a);
  }
  for (const room of [...ours, ...theirs]) void room.leave();
  const group = "CPU per message against bare Colyseus";
  return [
    {
      group,
      figure: "ratio, median of 7 paired slices",
      value: quantileOf(ratios, 0.5),
      unit: "x",
      aim: { max: 1.1 },
    },
    { group, figure: "room host, per message", value: quantileOf(perMessage, 0.5), unit: "µs" },
  ];
}
