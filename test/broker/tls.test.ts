/** TLS of the broker's own: on the port that plain HTTP of this machine has too, with certificates that are replaced. */
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { request } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { SeatReservation } from "@centroid/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { useTls } from "../../server/broker/dist/api/tls-port.js";
import { selfSigned } from "../support/tls-front.js";
import { until, World } from "./support/world.js";

let folder: string;
let world: World;
let files: { certFile: string; keyFile: string };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-tls-"));
  files = selfSigned(folder);
  world = await World.start(["a"], { tls: files });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const post = (path: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const how = { port: world.broker.port, path, method: "POST", rejectUnauthorized: false };
    request(how, async (response) => resolve(JSON.parse(Buffer.concat(await response.toArray()).toString())))
      .on("error", reject)
      .end();
  });
const open = async (): Promise<TLSSocket> => {
  const socket = connectTls({ port: world.broker.port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return socket;
};

it("serves HTTPS and wss, names the way, and leaves plain HTTP to programs of this machine", async () => {
  const seat = (await post("/matchmake/create/arena")) as SeatReservation;
  expect([seat.publicAddress, seat.centroid.way]).toEqual([undefined, "gateway"]);
  // The agent of this world came in plain, and is given a direct seat's address.
  expect((await world.match("create", "arena")).publicAddress).toBe("a.test:1");
  const events = new WebSocket(`wss://127.0.0.1:${world.broker.port}/events`, ["centroid.events"], {
    rejectUnauthorized: false,
  });
  await once(events, "message");
  events.close();
});

it("takes new certificates while connections stay, and keeps the old one while the new pair does not fit", async () => {
  const old = await open();
  const before = old.getPeerCertificate().fingerprint256;
  const next = await mkdtemp(join(folder, "next-"));
  const { certFile, keyFile } = selfSigned(next);
  await copyFile(certFile, files.certFile);
  const between = await open();
  expect(between.getPeerCertificate().fingerprint256).toBe(before);
  between.destroy();
  await copyFile(keyFile, files.keyFile);
  await until(async () => {
    const socket = await open();
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256 !== before;
  });
  old.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(String((await once(old, "data"))[0])).toContain("200 OK");
  old.destroy();
});

it("stays up whatever comes in place of a handshake", async () => {
  for (const bytes of [Buffer.from([22]), Buffer.from([22, 3, 1, 255, 255, 0, 0]), Buffer.alloc(64, 255)]) {
    const socket = connect(world.broker.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume().end(bytes);
    await once(socket, "close");
  }
  expect((await world.call("GET", "/healthz")).status).toBe(200);
});

it("keeps nothing of who leaves in the middle of a handshake", async () => {
  const server = createServer();
  const nobody = { info: () => undefined, warn: () => undefined } as never;
  // No timeout that a test would see: it is the client's end that ends the connection.
  using _ = await useTls(server, files, nobody, 600_000);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  socket.resume().end(Buffer.from([22]));
  await once(socket, "close");
  await once(server.close(), "close");
});

it("refuses files that it cannot use", async () => {
  await writeFile(join(folder, "bad.pem"), "no certificate");
  const tls = { certFile: join(folder, "bad.pem"), keyFile: files.keyFile };
  await expect(World.start([], { tls })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});
