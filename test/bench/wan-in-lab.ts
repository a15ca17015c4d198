/** Players, broker and gateway in a namespace of a lab, and hosts in others: the moves of wan.ts with real packets. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAgent } from "@centroid/agent";
import { startBroker } from "@centroid/broker";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";
import { CentroidClient } from "@centroid/sdk";
import { type Ground, measureOn, type Settings } from "./wan.js";

interface Places {
  settings: Settings;
  site: string;
  hosts: { name: string; namespace: string; address: string }[];
}

const { settings, site, hosts } = JSON.parse(process.argv[2] ?? "{}") as Places;
const rows = await run();
process.send?.(rows, () => process.exit(0));

async function run() {
  await using owned = new DisposalStack();
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const { path: roomsBundle, roomTypes } = await bundleRooms(
    join(import.meta.dirname, "../fixtures/rooms"),
    folder,
  );
  const broker = owned.use(await startBroker({ port: 0, bindHost: site, autoMove: false, limits: false }));
  for (const { name, namespace, address } of hosts)
    owned.use(
      await startAgent(
        {
          ...{ hostId: name, name, latitude: 0, longitude: 0, bindHost: address, roomsBundle, roomTypes },
          ...{ brokerUrls: [broker.url.replace("http", "ws")], token: broker.agentToken },
        },
        { namespace },
      ),
    );
  const headers = { "content-type": "application/json", authorization: `Bearer ${broker.adminToken}` };
  const ask = async (path: string, init: RequestInit = {}) =>
    (await (await fetch(`${broker.url}${path}`, { ...init, headers })).json()) as never;
  const ground: Ground = {
    broker,
    player: async () => new CentroidClient(broker.url, { probing: false }),
    get: (path) => ask(path),
    move: (roomId, hostId) =>
      ask(`/api/v1/rooms/${roomId}/move`, { method: "POST", body: JSON.stringify({ hostId }) }),
  };
  return await measureOn(ground, settings);
}
