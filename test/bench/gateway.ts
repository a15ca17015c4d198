/** What a gateway adds: to a round trip, and in CPU beside its room host's. */
import type { Broker } from "@centroid/broker";
import { quantileOf } from "@centroid/placement";
import { DisposalStack } from "@centroid/protocol/node";
import { Client, type Room } from "@colyseus/sdk";
import { descendants, listener } from "../support/processes.js";
import { cpuPerMessage } from "./cpu-per-message.js";
import { type HOSTS, startGatewaySystem } from "./gateway-system.js";
import type { Row } from "./row.js";

const ECHOES = 3_000;
const ECHO_TURN = 100;
const PLAYERS = 20;
/** Not counted: the programs are compiled as they run. */
const WARM_SLICES = 3;
const SLICES = 5;

export async function gateway(): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { broker, gatewayUrl, gatewayPid } = await startGatewaySystem("rooms", owned);
  const behind = await roomAt(broker, "a");
  const alone = await roomAt(broker, "b");
  const through = await joined(gatewayUrl, behind.roomId);
  const direct = await joined(broker.url, alone.roomId);
  const rtts = { direct: [] as number[], through: [] as number[] };
  for (let turn = 0; turn < ECHOES / ECHO_TURN; turn++) {
    await echoes(direct[0], rtts.direct);
    await echoes(through[0], rtts.through);
  }
  const micros: { gateway: number; behind: number; alone: number }[] = [];
  for (let slice = -WARM_SLICES; slice < SLICES; slice++) {
    const [ofGateway = 0, ofBehind = 0] = await cpuPerMessage(through, [gatewayPid, behind.pid]);
    const [ofAlone = 0] = await cpuPerMessage(direct, [alone.pid]);
    if (slice >= 0) micros.push({ gateway: ofGateway, behind: ofBehind, alone: ofAlone });
  }
  for (const room of [...through, ...direct]) void room.leave();
  const median = (of: (slice: (typeof micros)[number]) => number): number => quantileOf(micros.map(of), 0.5);
  const group = "gateway, on loopback";
  const added = (q: number): number => quantileOf(rtts.through, q) - quantileOf(rtts.direct, q);
  return [
    { group, figure: "added to a round trip, p50", value: added(0.5), unit: "ms", aim: { max: 0.3 } },
    { group, figure: "added to a round trip, p99", value: added(0.99), unit: "ms", aim: { max: 1 } },
    { group, figure: "gateway's CPU per message", value: median(({ gateway }) => gateway), unit: "µs" },
    {
      group,
      figure: "room host's CPU per message, players by the gateway",
      value: median(({ behind }) => behind),
      unit: "µs",
    },
    {
      group,
      figure: "room host's CPU per message, players of its own",
      value: median(({ alone }) => alone),
      unit: "µs",
    },
    {
      group,
      figure: "gateway's CPU relative to its room host's",
      value: median(({ gateway, behind }) => (100 * gateway) / behind),
      unit: "%",
      aim: { max: 15 },
    },
    {
      group,
      figure: "CPU of both per message, relative to the room host's with players of its own",
      value: median(({ gateway, behind, alone }) => (gateway + behind) / alone),
      unit: "x",
    },
  ];
}

/** A room on that host, and the process it runs in. */
async function roomAt(
  broker: Broker,
  hostId: (typeof HOSTS)[number],
): Promise<{ roomId: string; pid: number }> {
  const { roomId } = await new Client(broker.url).create("ledger", { seatSeconds: 60 });
  await fetch(`${broker.url}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${broker.adminToken}` },
    body: JSON.stringify({ hostId }),
  });
  const where = (await (await fetch(`${broker.url}/centroid/v1/where/${roomId}`)).json()) as {
    host: { hostId: string };
    publicAddress: string;
  };
  const pid = listener(descendants(process.pid), Number(where.publicAddress.split(":")[1]));
  if (where.host.hostId !== hostId || pid === undefined) throw new Error(`no room at ${hostId}`);
  return { roomId, pid };
}

type Players = [Room, ...Room[]];

async function joined(url: string, roomId: string): Promise<Players> {
  const join = async (): Promise<Room> => {
    const room = (await new Client(url).joinById(roomId)) as Room;
    room.onMessage("shot", () => undefined);
    return room;
  };
  const more = Array.from({ length: PLAYERS - 1 }, join);
  return [await join(), ...(await Promise.all(more))];
}

async function echoes(room: Room, into: number[]): Promise<void> {
  for (let n = 0; n < ECHO_TURN; n++) {
    const sentAtMs = performance.now();
    await room.request("echo", n);
    into.push(performance.now() - sentAtMs);
  }
}
