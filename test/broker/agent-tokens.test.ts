/** Tokens of hosts: each opens under one host id, replaces what the host had once it is used, and can be revoked. */
import type { controlRoutes, RouteAnswer } from "@centroid/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AgentTokens } from "../../server/broker/dist/hosts/agent-tokens.js";
import { MemoryStore } from "../../server/broker/dist/store/memory-store.js";
import { Cli } from "../support/run-cli.js";
import { FakeAgent } from "./support/fake-agent.js";
import { until, World } from "./support/world.js";

let world: World;
let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  world = await World.start([], { store });
});
afterEach(() => world[Symbol.asyncDispose]());

const PATIENT = 60_000;
const order = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const answer = await world.call(method, `/api/v1${path}`, body);
  return (await answer.json()) as T;
};
const issue = async (hostId: string): Promise<string> =>
  (await order<{ token: string }>("POST", `/hosts/${hostId}/agent-token`)).token;
const revoke = (hostId: string): Promise<unknown> => order("POST", `/hosts/${hostId}/agent-token/revoke`);
const shared = (): string => world.broker.agentToken;

/** Joins as that host and leaves. @returns the code it was refused with */
async function joins(hostId: string, token: string): Promise<string | undefined> {
  const agent = new FakeAgent({ ...world.agentOptions(hostId), token });
  try {
    await agent.connect();
    return undefined;
  } catch {
    return agent.refused?.code;
  } finally {
    agent.disconnect();
  }
}

it("the shared one opens until the host's own is used, which opens under no other id", async () => {
  expect(await joins("a", shared())).toBeUndefined();
  const own = await issue("a");
  expect(own).not.toBe(shared());
  expect(await joins("a", shared())).toBeUndefined();
  expect(await joins("b", own)).toBe("UNAUTHORIZED");
  expect(await joins("a", own)).toBeUndefined();
  expect(await joins("a", shared())).toBe("UNAUTHORIZED");
  expect(await joins("b", shared())).toBeUndefined();
});

it("the next one replaces it in the same way, also after the broker was started again", async () => {
  const first = await issue("a");
  expect(await joins("a", first)).toBeUndefined();
  const second = await issue("a");
  await world.restart();
  expect(await joins("a", first)).toBeUndefined();
  expect(await joins("a", second)).toBeUndefined();
  await world.restart();
  expect(await joins("a", first)).toBe("UNAUTHORIZED");
  expect(await joins("a", second)).toBeUndefined();
});

it("one that is revoked ends the host's connection, and nothing opens until there is a new one", async () => {
  const agent = await world.host("a");
  await issue("a");
  await revoke("a");
  await until(() => !agent.connected, PATIENT);
  expect(await joins("a", shared())).toBe("UNAUTHORIZED");
  await world.restart();
  expect(await joins("a", shared())).toBe("UNAUTHORIZED");
  expect(await joins("a", await issue("a"))).toBeUndefined();
  expect(await revoke("nobody")).toMatchObject({ error: { code: "HOST_NOT_FOUND" } });
});

it("the shared one can be switched off, and says who still uses it", async () => {
  const [a] = [await world.host("a"), await world.host("b", { token: await issue("b") })];
  type Answer = RouteAnswer<typeof controlRoutes.sharedAgentToken>;
  const off = await order<Answer>("PUT", "/shared-agent-token", { accepted: false });
  expect(off).toEqual({ accepted: false, hostIds: ["a"] });
  expect(a.connected).toBe(true);
  expect(await joins("c", shared())).toBe("UNAUTHORIZED");
  // An agent beside the broker is given one.
  const made = await world.broker.agentTokenOf("c");
  expect(await joins("c", made)).toBeUndefined();
  await order("PUT", "/shared-agent-token", { accepted: true });
  expect(await joins("d", shared())).toBeUndefined();
});

it("needs the admin token, and what was made is not in the audit log", async () => {
  const own = await issue("a");
  const path = "/api/v1/hosts/a/agent-token";
  expect((await world.call("POST", path, undefined, world.broker.viewerToken)).status).toBe(403);
  expect((await world.call("POST", path, undefined, own)).status).toBe(401);
  const log = await (await world.call("GET", "/api/v1/audit")).text();
  expect(log).toContain("issue-agent-token");
  expect(log).not.toContain(own);
});

it("another broker on the same store takes it up when it hears of it", async () => {
  const revoked: string[] = [];
  const brokers: AgentTokens[] = [];
  const broker = (): AgentTokens =>
    new AgentTokens(
      {
        store,
        shared: "shared",
        newToken: () => `own-${brokers.length}`,
        cluster: { publish: () => void brokers[1]?.reload() },
        logger: { warn: () => undefined } as never,
        onRevoked: (hostId) => revoked.push(hostId),
      },
      new Map(),
    );
  brokers.push(broker(), broker());
  await brokers[0]!.issue("a");
  await expect.poll(() => brokers[1]!.accepted("a")).toEqual(["own-2", "shared"]);
  await brokers[0]!.revoke("a");
  await expect.poll(() => brokers[1]!.accepted("a")).toEqual([]);
  expect(revoked).toEqual(["a", "a"]);
});

it("is one line of its own for a file, from the command line", async () => {
  await using cli = await Cli.create();
  const { url, adminToken } = world.broker;
  const centroid = (...args: string[]) =>
    cli.run(["agent-token", ...args, "--broker", url, "--token", adminToken]);
  const [made, both] = await Promise.all([centroid("a"), centroid("a", "--shared", "off")]);
  expect(both).toMatchObject({ code: 2 });
  expect([made.code, made.err]).toEqual([0, ""]);
  expect(await joins("a", made.out.trim())).toBeUndefined();
  expect(await centroid("a", "--revoke")).toMatchObject({
    code: 0,
    out: expect.stringContaining("nobody joins"),
  });
  expect(await joins("a", made.out.trim())).toBe("UNAUTHORIZED");
}, 60_000);
