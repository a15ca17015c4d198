/** Hosts that differ in how fast they compute and in what else they do, for rooms that have work. */
import { type HostSpeed, type RoomDemand, workTimeAt } from "../decide/work.js";
import { seededRandom } from "../random/random.js";
import type { SimulationParameters } from "./parameters.js";

/** What else a host does changes so often within a trace. */
const LOAD_PERIODS = 6;
/** All cores of a machine together do this much of what they would do alone. */
const SHARED = 0.8;

export class SimulatedMachines {
  readonly work: RoomDemand;
  readonly #speeds: HostSpeed[];
  /** By host and period. */
  readonly #loads: number[][];
  readonly #steps: number;
  /** The step that live views are at. */
  step = 0;

  constructor({ hosts, seed, steps, speeds, cores, loads }: SimulationParameters, work: RoomDemand) {
    this.work = work;
    this.#steps = steps;
    const random = seededRandom(seed * 15_485_863 + 1);
    const between = ([low, high]: readonly [number, number]): number => low + random.next() * (high - low);
    this.#speeds = Array.from({ length: hosts }, () => {
      // As many of twice the speed as of half of it.
      const oneCore = speeds[0] * (speeds[1] / speeds[0]) ** random.next();
      const count = Math.round(between(cores));
      return { oneCore, allCores: oneCore * Math.max(1, SHARED * count), cores: count };
    });
    this.#loads = Array.from({ length: hosts }, () =>
      Array.from({ length: LOAD_PERIODS }, () => between(loads)),
    );
  }

  speed(host: number): HostSpeed {
    return this.#speeds[host] ?? { oneCore: 1, allCores: 1, cores: 1 };
  }

  period(step: number): number {
    return Math.min(LOAD_PERIODS - 1, Math.floor((step * LOAD_PERIODS) / this.#steps));
  }

  load(host: number, step: number): number {
    return this.#loads[host]?.[this.period(step)] ?? 0;
  }

  /** What a room's work takes there, ms. */
  workMs(host: number, step: number): number {
    const view = { hostId: "", load: this.load(host, step), speed: this.speed(host) };
    return workTimeAt(view, { hostId: undefined, playerIds: [], work: this.work })?.workMs ?? 0;
  }
}
