/** One simulated process' copy of the product. It serves run after run: what it has begun ends with each. */

import type { HttpServerOptions } from "../../server/broker/dist/api/http-server.js";
import { Draw } from "../support/draw.js";
import { BROKERS } from "./plan.js";
import type { Instantiate, Product } from "./product.js";
import { Scheduler, SimProcess } from "./scheduler.js";
import { type Run, surroundings } from "./surroundings.js";

/** What the broker hands to whoever listens for it. */
export type Served = HttpServerOptions;

export class Program {
  readonly product: Product;
  /** The run that this process belongs to just now. */
  run: Run & { serve?: (served: Served) => void };

  constructor(instantiate: Instantiate) {
    const refuse = (): never => {
      throw new Error("this program belongs to no world yet");
    };
    const process = new SimProcess("loading", "none");
    const draw = new Draw(0);
    this.run = { scheduler: new Scheduler(), process, drawFor: () => draw, fork: refuse, dial: refuse };
    const run = (): Program["run"] => this.run;
    const ends = {
      "beacon.js": { startBeacon: async () => ({ kind: "ws", port: 1, [Symbol.dispose]() {} }) },
      "http-server.js": {
        httpServer: async (served: Served) => ({
          listen: async () => run().serve?.(served),
          close: async () => undefined,
          server: { address: () => ({ port: 1 }) },
        }),
      },
      lmdb: {},
      pino: { stdSerializers: {} },
    };
    this.product = instantiate(surroundings(run, ends));
  }
}

/** Every process that a world may have. */
export interface Programs {
  brokers: Program[];
  agents: Program[];
  roomHosts: Program[];
  players: Program[];
}

export function programs(instantiate: Instantiate, hosts: number, players: number): Programs {
  const many = (count: number): Program[] => Array.from({ length: count }, () => new Program(instantiate));
  return {
    brokers: many(BROKERS.length),
    agents: many(hosts),
    roomHosts: many(hosts),
    players: many(players),
  };
}
