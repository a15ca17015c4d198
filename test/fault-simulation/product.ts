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

export interface Product {
  startBroker: typeof startBroker;
  RedisCluster: typeof RedisCluster;
  Agent: typeof Agent;
  agentConfigSchema: typeof agentConfigSchema;
  ProcessCarrier: typeof ProcessCarrier;
  RoomHost: typeof RoomHost;
  Lease: typeof Lease;
  MessageBatch: typeof MessageBatch;
  batched: typeof batched;
  unbatched: typeof unbatched;
  mayWaitMs: typeof mayWaitMs;
  NEWS_MS: typeof NEWS_MS;
  RoomTypes: typeof RoomTypes;
  PresenceBus: typeof PresenceBus;
  MigratingTransport: typeof MigratingTransport;
  protocol: typeof protocol;
  Room: typeof Room;
  getMessageBytes: typeof getMessageBytes;
}

const ROOT = join(import.meta.dirname, "../..");
const ENTRY = `
export { startBroker } from "./server/broker/dist/broker.js";
export { RedisCluster } from "./server/broker/dist/cluster/redis-cluster.js";
export { Agent } from "./infra/agent/dist/agent.js";
export { agentConfigSchema } from "./infra/agent/dist/config.js";
export { ProcessCarrier } from "./infra/agent/dist/carrier/process-carrier.js";
export { RoomHost } from "./infra/room-host/dist/room-host.js";
export { Lease } from "./infra/room-host/dist/lease.js";
export { MessageBatch, batched, unbatched } from "@centroid/protocol/node";
export { mayWaitMs, NEWS_MS } from "./infra/room-host/dist/news.js";
export { RoomTypes } from "./infra/room-host/dist/colyseus/seats.js";
export { PresenceBus } from "./infra/room-host/dist/colyseus/room-presence.js";
export { MigratingTransport } from "./client/sdk/dist/migrating-transport.js";
export * as protocol from "@centroid/protocol";
export { Room, getMessageBytes } from "@colyseus/core";
`;
/** Our own listening ends: what they hand on comes from the simulated network instead. */
const OPEN_ENDS = /\/(beacon|http-server)\.js$|^lmdb$|^pino$|^redis$|^ws$|^uWebSockets\.js$/;

/** Names that the product's code finds in its simulated process instead of the real ones. */
export interface Surroundings {
  modules: Record<string, unknown>;
  globals: Record<string, unknown>;
}

export type Instantiate = (surroundings: Surroundings) => Product;

/** A mistake put into the product's code, to see whether it is found. */
export interface Mutation {
  from: string | RegExp;
  to: string;
}

/** Bundles the built product. Takes a second; every instance after that a tenth of one. */
export async function bundleProduct(mutation?: Mutation): Promise<Instantiate> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: ROOT },
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
  const built = outputFiles[0]?.text ?? "";
  const code = mutation === undefined ? built : built.replace(mutation.from, mutation.to);
  if (mutation !== undefined && code === built)
    throw new Error(`nothing to change: ${String(mutation.from)}`);
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
    return module.exports as Product;
  };
}
