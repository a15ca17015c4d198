/** What one broker tells another over a connection of theirs. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, it } from "vitest";
import { BrokerLinks } from "../../server/broker/dist/cluster/broker-links.js";

it("what cannot be taken in is logged and cuts nothing off that comes after it", async () => {
  const taken: unknown[] = [];
  const logged: unknown[] = [];
  const throwing =
    (what: string) =>
    (said: unknown): void => {
      taken.push([what, said]);
      if (taken.length < 4) throw new Error(what);
    };
  using links = new BrokerLinks({
    adminToken: "token",
    onMeasured: throwing("measured"),
    onCarried: throwing("carried"),
    onWays: throwing("ways"),
    clock: { now: () => performance.now() },
    logger: { warn: () => undefined, error: (about: object) => logged.push(about) },
  } as never);
  const server = createServer().on("upgrade", (request, socket, head) =>
    links.wss.handleUpgrade(request, socket, head, (peer) => links.wss.emit("connection", peer, request)),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const member = {
      brokerId: "other",
      url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    };
    links.tell(member, { type: "carried", players: [] });
    links.tell(member, { type: "ways", ways: [] });
    const body = { playerId: "ann", probes: [] };
    links.tell(member, { type: "measured", body });
    links.tell(member, { type: "carried", players: [] });
    await expect.poll(() => taken.length).toBe(4);
    expect(taken).toEqual([
      ["carried", []],
      ["ways", []],
      ["measured", body],
      ["carried", []],
    ]);
    const [carried, ways, measured] = ["carried", "ways", "measured"];
    expect(logged).toMatchObject([{ type: carried }, { type: ways }, { type: measured }]);
  } finally {
    server.close();
  }
});
