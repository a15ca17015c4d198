/** What a simulated process finds around it: clocks, timers, randomness, child processes, sockets. */
import crypto from "node:crypto";
import { EventEmitter } from "node:events";
import os from "node:os";
import type { Draw } from "../support/draw.js";
import type { Surroundings } from "./product.js";
import type { Scheduler, SimProcess } from "./scheduler.js";

/** Where simulated time begins: any date will do, always the same. */
const EPOCH_MS = Date.UTC(2030, 0, 1);

/** Of the run that a process belongs to; the same program serves many runs. */
export interface Run {
  scheduler: Scheduler;
  process: SimProcess;
  /** What the product itself draws: of a process in one life, so that nothing of an earlier run shows in it. */
  drawFor: (process: SimProcess) => Draw;
  fork: (path: string, args: unknown, options: { env: Record<string, string> }) => unknown;
  dial: (process: SimProcess, url: string) => unknown;
}

/** @param now the run that the process belongs to at the moment */
export function surroundings(now: () => Run, ends: Record<string, unknown>): Surroundings {
  const timers = simulatedTimers(now);
  const chance = (): Draw => now().drawFor(now().process);
  const monotonicMs = (): number => now().scheduler.nowMs - now().process.startedAtMs;
  const performance = {
    now: monotonicMs,
    get timeOrigin() {
      return EPOCH_MS + now().process.startedAtMs;
    },
  };
  const wallMs = (): number => EPOCH_MS + Math.floor(now().scheduler.nowMs) + now().process.wallOffsetMs;
  class SimDate extends Date {
    constructor(atMs?: number | string) {
      super(atMs ?? wallMs());
    }
    static override now(): number {
      return wallMs();
    }
  }
  const fill = <T extends NodeJS.ArrayBufferView>(buffer: T, offset = 0, size?: number): T => {
    const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    const end = size === undefined ? bytes.length : offset + size;
    for (let at = offset; at < end; at++) bytes[at] = chance().below(256);
    return buffer;
  };
  const randomBytes = (length: number): Buffer => fill(Buffer.alloc(length));
  const randomUUID = (): string => randomBytes(16).toString("hex");
  const process = Object.create(globalThis.process, {
    hrtime: { value: { bigint: () => BigInt(Math.round(now().scheduler.nowMs * 1e6)) } },
    cpuUsage: { value: () => ({ user: 0, system: 0 }) },
    memoryUsage: { value: { rss: () => 0 } },
    on: { value: () => process },
    once: { value: () => process },
    env: { value: { NODE_ENV: "production" } },
  }) as NodeJS.Process;
  const delay = (ms: number): Promise<void> =>
    new Promise((resolve) => timers.setTimeout(() => resolve(), ms));
  return {
    modules: {
      ...ends,
      ws: simulatedWs(now),
      crypto: { ...crypto, randomBytes, randomFillSync: fill, randomUUID },
      os: { ...os, cpus: () => [{}], availableParallelism: () => 1 },
      "timers/promises": { setImmediate: () => delay(0), setTimeout: delay },
      perf_hooks: {
        performance,
        PerformanceObserver: NoObserver,
        monitorEventLoopDelay: () => ({ enable() {} }),
      },
      child_process: { fork: (...args: Parameters<Run["fork"]>) => now().fork(...args) },
    },
    globals: {
      ...timers,
      performance,
      process,
      Date: SimDate,
      Math: Object.create(Math, { random: { value: () => chance().unit() } }) as Math,
      crypto: { getRandomValues: fill, randomUUID },
      AbortSignal: {
        any: (signals: AbortSignal[]) => AbortSignal.any(signals),
        timeout: (ms: number) => {
          const controller = new AbortController();
          timers.setTimeout(() => controller.abort(), ms);
          return controller.signal;
        },
      },
      console: { log() {}, info() {}, warn() {}, error() {}, debug() {} },
      globalThis: Object.create(globalThis) as object,
    },
  };
}

/** What the machine itself does is no part of a simulation. */
class NoObserver {
  observe(): void {}
  disconnect(): void {}
}

/** Node's own shortest delay. */
const LEAST_TIMER_MS = 1;

class Timer {
  readonly #arm: () => () => void;
  #cancel: () => void;

  constructor(arm: () => () => void) {
    this.#arm = arm;
    this.#cancel = arm();
  }

  cancel(): void {
    this.#cancel();
  }

  refresh(): this {
    this.#cancel();
    this.#cancel = this.#arm();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}

type Callback = (...args: unknown[]) => void;

function simulatedTimers(now: () => Run) {
  const after = (ms: number, run: () => void): (() => void) => now().scheduler.after(ms, now().process, run);
  const clear = (timer: unknown): void => {
    if (timer instanceof Timer) timer.cancel();
  };
  const delay = (ms: unknown): number => Math.max(LEAST_TIMER_MS, Number(ms) || 0);
  return {
    setTimeout: (run: Callback, ms?: unknown, ...args: unknown[]) =>
      new Timer(() => after(delay(ms), () => run(...args))),
    setInterval: (run: Callback, ms?: unknown, ...args: unknown[]) =>
      new Timer(() => {
        let cancel = (): void => undefined;
        let ended = false;
        const arm = (): void => {
          cancel = after(delay(ms), () => {
            run(...args);
            if (!ended) arm();
          });
        };
        arm();
        return () => {
          ended = true;
          cancel();
        };
      }),
    setImmediate: (run: Callback, ...args: unknown[]) => new Timer(() => after(0, () => run(...args))),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
}

/** The part of `ws` that our code uses: a socket that dials when it is made, and a server that is handed its sockets. */
function simulatedWs(now: () => Run) {
  return {
    WebSocket: Object.assign(
      function dial(url: string) {
        return now().dial(now().process, url);
      },
      { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 },
    ),
    WebSocketServer: SimServer,
  };
}

/** Listens to nothing: whoever simulates the network emits `connection`. */
class SimServer extends EventEmitter {
  readonly clients = new Set<never>();

  close(): void {}
}
