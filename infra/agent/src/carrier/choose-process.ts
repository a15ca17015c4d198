/** Which room host process of a host gets the next room. Pure. */
import { z } from "zod";

/**
 * How a host's rooms are kept apart: `shared` is one process for all, `core` one per core of the machine, `room` one
 * per room. A process that ends takes only its own rooms along.
 */
export const isolationSchema = z.enum(["shared", "core", "room"]);
export type Isolation = z.output<typeof isolationSchema>;

export interface ProcessLoad {
  /** Its rooms, and those that are on their way to it. */
  readonly rooms: number;
  /** Share of a core that it uses, as last measured. */
  readonly load: number;
  /** Rooms it was given since. */
  readonly newRooms: number;
}

/** A room that nobody plays in yet will be played in. */
const LEAST_LOAD_PER_ROOM = 0.005;

/** How many processes a host may have. */
export function maxProcesses(isolation: Isolation, cores: number): number {
  switch (isolation) {
    case "shared":
      return 1;
    case "core":
      return Math.max(1, cores);
    case "room":
      return Number.POSITIVE_INFINITY;
    default: {
      const never: never = isolation;
      throw new TypeError(String(never));
    }
  }
}

/** Index of the process for the next room; undefined if another one is to be started for it. */
export function chooseProcess(processes: readonly ProcessLoad[], most: number): number | undefined {
  const idle = processes.findIndex(({ rooms }) => rooms === 0);
  if (idle >= 0) return idle;
  if (processes.length < most) return undefined;
  const sum = (of: (process: ProcessLoad) => number): number =>
    processes.reduce((total, process) => total + of(process), 0);
  const perRoom = Math.max(LEAST_LOAD_PER_ROOM, sum(({ load }) => load) / sum(({ rooms }) => rooms));
  const expected = ({ load, newRooms }: ProcessLoad): number => load + newRooms * perRoom;
  const order = processes.map((process, at) => ({ at, load: expected(process), rooms: process.rooms }));
  return order.sort((a, b) => a.load - b.load || a.rooms - b.rooms)[0]?.at;
}
