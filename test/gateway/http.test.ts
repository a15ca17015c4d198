/** What a gateway passes on to brokers beside players' sockets: requests and upgrades, where one of several is away. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startBroker } from "@centroid/broker";
import { startGateway } from "@centroid/gateway";
import { DisposalStack } from "@centroid/protocol/node";
import { afterEach, beforeEach, expect, it } from "vitest";
import { closeServer } from "../support/close-server.js";
import { freePort } from "../support/free-port.js";
import { TlsFront } from "../support/tls-front.js";

let owned: DisposalStack;
beforeEach(() => {
  owned = new DisposalStack();
});
afterEach(() => owned[Symbol.asyncDispose]());

/** Where it listens, as a broker's URL. */
async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  owned.defer(() => closeServer(server));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function gatewayTo(brokerUrls: readonly string[]): Promise<string> {
  const at = { gatewayId: "g", token: "t", bindHost: "127.0.0.1", port: 0, notice: () => undefined };
  return owned.use(await startGateway({ ...at, brokerUrls })).url;
}

/** A server that answers every upgrade with 418, which no WebSocket library gets in its way. */
function teapot(): Server {
  const server = createServer((_asked, response) => response.end());
  return server.on("upgrade", (_asked, socket) =>
    socket.end("HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
  );
}

const upgraded = async (url: string): Promise<number | undefined> => {
  const headers = { connection: "upgrade", upgrade: "websocket" };
  const asked = request(`${url}/centroid/v1/events`, { headers });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
};

it("an upgrade goes to the next broker where one cannot be reached, and says so where none can", async () => {
  const away = `http://127.0.0.1:${await freePort()}`;
  expect(await upgraded(await gatewayTo([away, await listening(teapot())]))).toBe(418);
  expect(await upgraded(await gatewayTo([away, away]))).toBe(503);
});

it("an upgrade goes on over TLS to a broker that speaks it", async () => {
  const unchecked = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  // The front's certificate is of no authority that anybody knows.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  owned.defer(() => {
    if (unchecked === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = unchecked;
  });
  const front = owned.use(await TlsFront.start(await listening(teapot())));
  expect(await upgraded(await gatewayTo([front.url]))).toBe(418);
});

it("what changes something is not asked of a second broker when the first may have done it", async () => {
  const seen: string[] = [];
  const dying = createServer((asked) => {
    seen.push(`dying ${asked.method}`);
    asked.socket.destroy();
  });
  const next = createServer((asked, response) => {
    seen.push(`next ${asked.method}`);
    response.end("{}");
  });
  // The gateway's own link, which is no business of this test.
  for (const server of [dying, next]) server.on("upgrade", (_asked, socket) => socket.destroy());
  const brokerUrls = [await listening(dying), await listening(next)];
  const status = async (path: string, method: string): Promise<number> => {
    seen.length = 0;
    // Another one each time: it asks the one that answered last first.
    const url = await gatewayTo(brokerUrls);
    return (await fetch(`${url}${path}`, { method })).status;
  };
  expect([await status("/buy", "POST"), [...seen]]).toEqual([502, ["dying POST"]]);
  expect([await status("/prices", "GET"), [...seen]]).toEqual([200, ["dying GET", "next GET"]]);
  // A seat that nobody takes expires.
  const join = "/matchmake/joinOrCreate/duel";
  expect([await status(join, "POST"), [...seen]]).toEqual([200, ["dying POST", "next POST"]]);
});

it("requests on one connection to a broker leave nothing behind at it", async () => {
  const connections = new Set<unknown>();
  const broker = createServer((asked, response) => {
    connections.add(asked.socket);
    response.end("{}");
  });
  broker.on("upgrade", (_asked, socket) => socket.destroy());
  const url = await gatewayTo([await listening(broker)]);
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", onWarning);
  owned.defer(() => void process.off("warning", onWarning));
  // More than Node takes listeners of one kind without saying so.
  for (let asked = 0; asked < 15; asked++) await (await fetch(`${url}/prices`)).text();
  expect(connections.size).toBe(1);
  expect(warnings).toEqual([]);
});

it("keeps an idle connection as long as brokers do, and longer than load balancers", async () => {
  const broker = owned.use(await startBroker({ port: 0 }));
  const kept = async (url: string): Promise<string | null> => {
    const answer = await fetch(`${url}/healthz`);
    await answer.text();
    return answer.headers.get("keep-alive");
  };
  expect(await kept(await gatewayTo([broker.url]))).toBe("timeout=72");
  expect(await kept(broker.url)).toBe("timeout=72");
});
