/** A deployment all of whose addresses are IPv6 literals: players join, follow their room, and are measured. */
import { mkdtemp, rm } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { startAgent } from "@centroid/agent";
import { startBroker } from "@centroid/broker";
import { embeddedGateway } from "@centroid/gateway";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";
import { CentroidClient } from "@centroid/sdk";
import { Client } from "@colyseus/sdk";
import { expect, it } from "vitest";
import { until } from "../broker/support/world.js";
import type { LedgerRoom } from "../support/ledger.js";

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

it.skipIf(!hasIpv6).each([
  ["direct", {}],
  ["through the broker", { publicUrl: "http://[::1]/" }],
])(
  "works %s",
  async (_way, options) => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-ipv6-"));
    await using cleanup = new DisposalStack();
    cleanup.defer(() => rm(folder, { recursive: true }));
    const { path: roomsBundle, roomTypes } = await bundleRooms(
      join(import.meta.dirname, "../fixtures/rooms"),
      folder,
    );
    const broker = cleanup.use(
      await startBroker({
        port: 0,
        bindHost: "::1",
        autoMove: false,
        limits: false,
        gateway: embeddedGateway,
        ...options,
      }),
    );
    expect(broker.url).toBe(`http://[::1]:${broker.port}`);
    for (const hostId of ["a", "b"]) {
      const site = { hostId, name: hostId, latitude: 0, longitude: 0, bindHost: "::1" };
      const link = { brokerUrls: [broker.url.replace("http", "ws")], token: broker.agentToken };
      cleanup.use(await startAgent({ ...site, ...link, roomsBundle, roomTypes }));
    }
    const client = new CentroidClient(broker.url, { probing: { intervalMs: 300 } });
    cleanup.defer(() => client.dispose());
    const room = (await client.joinOrCreate("ledger")) as LedgerRoom;
    const moved = new Promise((resolve) => room.onMigrate(resolve));
    await fetch(`${broker.url}/api/v1/rooms/${room.roomId}/move`, {
      method: "POST",
      headers: { authorization: `Bearer ${broker.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ hostId: room.host.hostId === "a" ? "b" : "a" }),
    });
    expect(await moved).toMatchObject({ lost: 0, duplicated: 0 });
    await until(() => !Number.isNaN(room.pingMs), 45_000);
    if (_way === "direct") await (await new Client(broker.url).joinById(room.roomId)).leave();
    await room.leave();
  },
  60_000,
);
