/** TLS of a gateway's own: the one origin of a deployment whose broker speaks plain HTTP, with certificates that are replaced. */
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { startGateway } from "@centroid/gateway";
import { DisposalStack } from "@centroid/protocol/node";
import { expect, it } from "vitest";
import { until, World } from "../broker/support/world.js";
import { selfSigned } from "../support/tls-front.js";

it("passes players on with their address, and takes new certificates while connections stay", async () => {
  await using owned = new DisposalStack();
  const folder = await mkdtemp(join(tmpdir(), "centroid-gateway-"));
  owned.defer(() => rm(folder, { recursive: true }));
  const tls = selfSigned(folder);
  const world = owned.use(await World.start(["a"]));
  const { broker } = world;
  const gateway = owned.use(
    await startGateway({
      ...{
        gatewayId: "g",
        brokerUrls: [broker.url],
        token: broker.gatewayToken,
        bindHost: "127.0.0.1",
        port: 0,
      },
      ...{ tls, trustProxy: ["127.0.0.1"], notice: () => undefined },
    }),
  );
  await gateway.ready;
  const seat = await new Promise<{ publicAddress?: string; centroid: { way?: string } }>(
    (resolve, reject) => {
      const headers = { "x-forwarded-for": "192.0.2.8", "x-real-ip": "192.0.2.9", cookie: "a=1" };
      const how = { method: "POST", path: "/matchmake/create/arena", rejectUnauthorized: false, headers };
      request(gateway.url + how.path, how, async (response) =>
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString())),
      )
        .on("error", reject)
        .end();
    },
  );
  expect([seat.publicAddress, seat.centroid.way]).toEqual([undefined, "gateway"]);
  const created = world.agent("a").requests.find(({ method }) => method === "createRoom");
  const asked = created?.method === "createRoom" ? created.seat?.request : undefined;
  expect([asked?.address, asked?.headers.cookie, asked?.headers["x-real-ip"]]).toEqual([
    "192.0.2.8",
    "a=1",
    undefined,
  ]);

  const open = async (): Promise<TLSSocket> => {
    const socket = connect({ port: gateway.port, rejectUnauthorized: false });
    owned.defer(() => void socket.destroy());
    await once(socket, "secureConnect");
    return socket;
  };
  const old = await open();
  const before = old.getPeerCertificate().fingerprint256;
  const next = selfSigned(await mkdtemp(join(folder, "next-")));
  await copyFile(next.certFile, tls.certFile);
  await copyFile(next.keyFile, tls.keyFile);
  await until(async () => (await open()).getPeerCertificate().fingerprint256 !== before, 30_000);
  expect(old.destroyed).toBe(false);
}, 60_000);
