/**
 * The product as it ships, once per simulated process: bundled with the modules that reach the outside (sockets,
 * child processes, randomness, HTTP) left open, and evaluated with clocks and timers that the simulation decides.
 * So a crash silences everything that a process has begun, in our code and in Colyseus alike.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import vm from "node:vm";
import type * as protocol from "@centroid/protocol";
import type { batched, MessageBatch, unbatched } from "@centroid/protocol/node";
import type { getMessageBytes, Room } from "@colyseus/core";
import { build } from "esbuild";
import type { MigratingTransport } from "../../client/sdk/dist/migrating-transport.js";
import type { Agent } from "../../infra/agent/dist/agent.js";
import type { ProcessCarrier } from "../../infra/agent/dist/carrier/process-carrier.js";
import type { agentConfigSchema } from "../../infra/agent/dist/config.js";
import type { PresenceBus } from "../../infra/room-host/dist/colyseus/room-presence.js";
import type { RoomTypes } from "../../infra/room-host/dist/colyseus/seats.js";
import type { Lease } from "../../infra/room-host/dist/lease.js";
import type { mayWaitMs, NEWS_MS } from "../../infra/room-host/dist/news.js";
import type { RoomHost } from "../../infra/room-host/dist/room-host.js";
import type { startBroker } from "../../server/broker/dist/broker.js";
import type { RedisCluster } from "../../server/broker/dist/cluster/redis-cluster.js";

/** What each kind of process uses of the product; nothing else is evaluated for it. */
export interface Parts {
  broker: { startBroker: typeof startBroker; RedisCluster: typeof RedisCluster; protocol: typeof protocol };
  agent: {
    Agent: typeof Agent;
    agentConfigSchema: typeof agentConfigSchema;
    ProcessCarrier: typeof ProcessCarrier;
  };
  roomHost: {
    RoomHost: typeof RoomHost;
    Lease: typeof Lease;
    MessageBatch: typeof MessageBatch;
    batched: typeof batched;
    unbatched: typeof unbatched;
    mayWaitMs: typeof mayWaitMs;
    NEWS_MS: typeof NEWS_MS;
    RoomTypes: typeof RoomTypes;
    PresenceBus: typeof PresenceBus;
    Room: typeof Room;
    protocol: typeof protocol;
  };
  player: {
    MigratingTransport: typeof MigratingTransport;
    getMessageBytes: typeof getMessageBytes;
    protocol: typeof protocol;
  };
}
export type Part = keyof Parts;

const ROOT = join(import.meta.dirname, "../..");
const PROTOCOL = 'export * as protocol from "@centroid/protocol";';
const ENTRIES: Record<Part, string> = {
  broker: `
export { startBroker } from "./server/broker/dist/broker.js";
export { RedisCluster } from "./server/broker/dist/cluster/redis-cluster.js";
${PROTOCOL}`,
  agent: `
export { Agent } from "./infra/agent/dist/agent.js";
export { agentConfigSchema } from "./infra/agent/dist/config.js";
export { ProcessCarrier } from "./infra/agent/dist/carrier/process-carrier.js";`,
  roomHost: `
export { RoomHost } from "./infra/room-host/dist/room-host.js";
export { Lease } from "./infra/room-host/dist/lease.js";
export { MessageBatch, batched, unbatched } from "@centroid/protocol/node";
export { mayWaitMs, NEWS_MS } from "./infra/room-host/dist/news.js";
export { RoomTypes } from "./infra/room-host/dist/colyseus/seats.js";
export { PresenceBus } from "./infra/room-host/dist/colyseus/room-presence.js";
export { Room } from "@colyseus/core";
${PROTOCOL}`,
  player: `
export { MigratingTransport } from "./client/sdk/dist/migrating-transport.js";
export { getMessageBytes } from "@colyseus/core";
${PROTOCOL}`,
};
/** Our own listening ends: what they hand on comes from the simulated network instead. */
const OPEN_ENDS = /\/(beacon|http-server)\.js$|^lmdb$|^pino$|^redis$|^ws$|^uWebSockets\.js$/;

/** Names that the product's code finds in its simulated process instead of the real ones. */
export interface Surroundings {
  modules: Record<string, unknown>;
  globals: Record<string, unknown>;
}

export type Instantiate<P extends Part> = (surroundings: Surroundings) => Parts[P];
export type Product = { [P in Part]: Instantiate<P> };

/** A mistake put into the product's code, to see whether it is found. */
export interface Mutation {
  from: string | RegExp;
  to: string;
}

/** One part of the built product in one script. */
async function bundle(part: Part): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRIES[part], resolveDir: ROOT },
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node20",
    define: { "import.meta.url": '"file:///simulated/module.js"' },
    plugins: [
      {
        name: "open-ends",
        setup: (b) => b.onResolve({ filter: OPEN_ENDS }, ({ path }) => ({ path, external: true })),
      },
    ],
  });
  return outputFiles[0]?.text ?? "";
}

/**
 * Bundles the built product, which takes a second; every instance after that takes a tenth of one.
 * @returns the product, or a wrong one: parts without the code that the mistake changes are the same ones
 */
export async function bundleProduct(): Promise<(mutation?: Mutation) => Product> {
  const [broker, agent, roomHost, player] = await Promise.all([
    bundle("broker"),
    bundle("agent"),
    bundle("roomHost"),
    bundle("player"),
  ]);
  const code = { broker, agent, roomHost, player };
  const right = evaluated(code);
  return (mutation) => {
    if (mutation === undefined) return right;
    const { from, to } = mutation;
    const changed = {
      broker: broker.replace(from, to),
      agent: agent.replace(from, to),
      roomHost: roomHost.replace(from, to),
      player: player.replace(from, to),
    };
    const wrong = evaluated(changed);
    const parts = (Object.keys(code) as Part[]).filter((part) => changed[part] !== code[part]);
    if (parts.length === 0) throw new Error(`nothing to change: ${String(from)}`);
    return { ...right, ...Object.fromEntries(parts.map((part) => [part, wrong[part]])) };
  };
}

function evaluated(code: Record<Part, string>): Product {
  return {
    broker: instantiating(code.broker),
    agent: instantiating(code.agent),
    roomHost: instantiating(code.roomHost),
    player: instantiating(code.player),
  };
}

function instantiating<P extends Part>(code: string): Instantiate<P> {
  const real = createRequire(join(ROOT, "package.json"));
  const compiled = new Map<string, vm.Script>();
  return ({ modules, globals }) => {
    const names = Object.keys(globals);
    const key = names.join();
    let script = compiled.get(key);
    if (script === undefined) {
      const wrapped = `(function (module, exports, require, ${key}) {${code}\n})`;
      script = new vm.Script(wrapped, { filename: "simulated-product.js" });
      compiled.set(key, script);
    }
    const module = { exports: {} };
    const run = script.runInThisContext() as (...args: unknown[]) => void;
    const require = (id: string): unknown =>
      modules[id.replace(/^node:|^.*\/(?=beacon|http-server)/, "")] ?? real(id);
    run(module, module.exports, require, ...names.map((name) => globals[name]));
    return module.exports as Parts[P];
  };
}
