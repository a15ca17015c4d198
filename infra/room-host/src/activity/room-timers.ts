/**
 * The timers that rooms' own code gets in place of Node's: the same, but it is known whose they are. Bundling puts them
 * there; where a bundle runs outside of a room host, it gets Node's.
 */
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { promisify } from "node:util";
import type { RoomResources } from "./room-resources.js";

/** Where a bundle finds them, on `globalThis`. */
export const ROOM_TIMERS = "centroid.timers";

/** A promise for code that is not to go on. */
const never = <T>(): Promise<T> => new Promise(() => undefined);

type SetTimer = typeof setTimeout | typeof setInterval | typeof setImmediate;

/** @param ownerOf whose code runs just now */
export function roomTimers(ownerOf: () => RoomResources | undefined): Record<string, unknown> {
  const owned = (set: SetTimer): unknown => {
    const call = set as (...args: unknown[]) => NodeJS.Timeout;
    return (...args: unknown[]) => {
      const timer = call(...args);
      return ownerOf()?.timer(timer) ?? timer;
    };
  };
  /** Resolves with the same, unless the room has left by then. */
  const guarded =
    (wait: (...args: never[]) => Promise<unknown>) =>
    async (...args: never[]): Promise<unknown> => {
      const goesOn = ownerOf()?.goesOn();
      const value = await wait(...args);
      return goesOn?.() === false ? never() : value;
    };
  async function* interval(...args: never[]): AsyncGenerator {
    const goesOn = ownerOf()?.goesOn();
    const each = timersPromises.setInterval as unknown as (...a: never[]) => AsyncIterable<unknown>;
    for await (const value of each(...args)) {
      if (goesOn?.() === false) break;
      yield value;
    }
    if (goesOn?.() === false) await never();
  }
  const promises = {
    ...timersPromises,
    setTimeout: guarded(timersPromises.setTimeout as never),
    setImmediate: guarded(timersPromises.setImmediate as never),
    setInterval: interval,
    scheduler: {
      wait: guarded(timersPromises.scheduler.wait as never),
      yield: timersPromises.scheduler.yield,
    },
  };
  const own = {
    ...timers,
    setTimeout: owned(setTimeout),
    setInterval: owned(setInterval),
    setImmediate: owned(setImmediate),
    promises,
  };
  for (const name of ["setTimeout", "setImmediate"] as const)
    Object.defineProperty(own[name], promisify.custom, { value: promises[name] });
  return own;
}
