/** One simulated process' copy of the product. It serves run after run: what it has begun ends with each. */

import type { HttpServerOptions } from "../../server/broker/dist/api/http-server.js";
import { Draw } from "../support/draw.js";
import { BROKERS } from "./plan.js";
import type { Instantiate, Part, Parts, Product } from "./product.js";
import { Scheduler, SimProcess } from "./scheduler.js";
import { type Run, surroundings } from "./surroundings.js";

/** What the broker hands to whoever listens for it. */
export type Served = HttpServerOptions;

export class Program<P extends Part> {
  readonly product: Parts[P];
  readonly madeBy: Instantiate<P>;
  /** The run that this process belongs to just now. */
  run: Run & { serve?: (served: Served) => void };

  constructor(instantiate: Instantiate<P>) {
    this.madeBy = instantiate;
    const refuse = (): never => {
      throw new Error("this program belongs to no world yet");
    };
    const process = new SimProcess("loading", "none");
    const draw = new Draw(0);
    this.run = { scheduler: new Scheduler(), process, drawFor: () => draw, fork: refuse, dial: refuse };
    const run = (): Program<P>["run"] => this.run;
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
  brokers: Program<"broker">[];
  agents: Program<"agent">[];
  roomHosts: Program<"roomHost">[];
  players: Program<"player">[];
}

/** @param known programs of another world: those that are of the same code serve this one too */
export function programs(product: Product, hosts: number, players: number, known?: Programs): Programs {
  return {
    brokers: many(product.broker, BROKERS.length, known?.brokers),
    agents: many(product.agent, hosts, known?.agents),
    roomHosts: many(product.roomHost, hosts, known?.roomHosts),
    players: many(product.player, players, known?.players),
  };
}

function many<P extends Part>(by: Instantiate<P>, count: number, known?: Program<P>[]): Program<P>[] {
  if (known?.every(({ madeBy }) => madeBy === by) === true) return known;
  return Array.from({ length: count }, () => new Program(by));
}
