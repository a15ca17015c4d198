/** Two real hosts behind the few broker routes that bots need, so that a test moves rooms when it likes. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { PROTOCOL_VERSION } from "@centroid/protocol";
import { closeServer } from "../support/close-server.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

export interface Stage extends AsyncDisposable {
  readonly url: string;
  readonly pair: PairOfHosts;
}

export async function openStage(roomsDir = DEMO_ROOMS_DIR): Promise<Stage> {
  const pair = await PairOfHosts.start(roomsDir);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const json = (body: unknown) =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.url === "/centroid/v1/beacons") return json({ protocol: PROTOCOL_VERSION, beacons: [] });
    if (request.url === "/centroid/v1/probes") return json({ next: [], intervalMs: 60_000, rejected: [] });
    const answer = await fetch(pair.url + request.url, {
      method: request.method ?? "GET",
      ...(request.method === "POST" && { body: Buffer.concat(chunks) }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    // The pair has one error for everything; a room that was disposed is the only one expected here.
    response.writeHead(answer.ok ? 200 : 404, { "content-type": "application/json" });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    pair,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await closeServer(server);
      await pair[Symbol.asyncDispose]();
    },
  };
}
