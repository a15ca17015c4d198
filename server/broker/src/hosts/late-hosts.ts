/**
 * Hosts that are expected: those that took rooms a moment ago and cannot just now, since they are busy, are started again or
 * a network fails, and the first one of a broker that has just started. Who finds no other host for a room waits for them:
 * most are there within seconds.
 */
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "./host-events.js";
import { type AgentPeer, type HostEntry, type HostRegistry, takesRooms } from "./host-registry.js";

/** After its last heartbeat; a host that stands still for some seconds on a crowded machine has dialled again by then. */
export const LATE_HOST_MS = 15_000;

export interface LateHostsOptions {
  hosts: HostRegistry;
  events: Emitter<HostEvents>;
  clock: Clock;
  /** So long after the start a first host is waited for; {@link LATE_HOST_MS} if not given. */
  firstHostWithinMs?: number | undefined;
  /** Aborted: nobody waits any longer. */
  signal: AbortSignal;
}

export class LateHosts {
  readonly #options: LateHostsOptions;
  readonly #waiting = new Set<() => void>();
  /** Until when a first host is expected. */
  #firstUntilMs: number;

  constructor(options: LateHostsOptions) {
    this.#options = options;
    this.#firstUntilMs = options.clock.now() + (options.firstHostWithinMs ?? LATE_HOST_MS);
    options.events.on("host.connected", () => {
      this.#firstUntilMs = Number.NEGATIVE_INFINITY;
    });
    const wake = (): void => {
      for (const resolve of [...this.#waiting]) resolve();
    };
    options.events.on("host.changed", wake);
    options.signal.addEventListener("abort", wake);
  }

  /** While no host has ever said hello and one is expected: waits for it. */
  async first(untilMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    for (;;) {
      const leftMs = Math.min(untilMs, this.#firstUntilMs) - clock.now();
      if (signal.aborted || leftMs <= 0) return;
      await this.changed(leftMs);
    }
  }

  /**
   * Waits for a host that takes rooms and is late.
   * @param suits hosts that the room may go to at all
   * @param failed connections by which hosts were asked in vain: only over another one are they worth asking again
   * @returns false if there is none to wait for, or none was back in time
   */
  async back(
    suits: (host: HostEntry) => boolean,
    failed: ReadonlySet<AgentPeer | undefined>,
    untilMs: number,
  ): Promise<boolean> {
    const { hosts, clock, signal } = this.#options;
    for (;;) {
      const now = clock.now();
      if (signal.aborted || now >= untilMs) return false;
      const suited = [...hosts.values()].filter(suits);
      if (suited.some((host) => takesRooms(host) && !failed.has(host.peer))) return true;
      const lateUntilMs = Math.min(untilMs, Math.max(...suited.map(awaySinceMs)) + LATE_HOST_MS);
      if (now >= lateUntilMs) return false;
      await this.changed(lateUntilMs - now);
    }
  }

  /** Resolves at the next change of any host, when the broker ends, or so late. */
  changed(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.#options.clock.after(withinMs, wake);
      this.#waiting.add(wake);
    });
  }
}

/** One that leaves of its own accord takes rooms again when it is back; one that an operator drains does not. */
function awaySinceMs({ stage, peer, leavesSinceMs, lastHeartbeatAtMs }: HostEntry): number {
  if (leavesSinceMs !== undefined) return peer === undefined ? lastHeartbeatAtMs : leavesSinceMs;
  const isAway =
    stage.state === "lost" ? stage.before === "active" : stage.state === "active" && peer === undefined;
  return isAway ? lastHeartbeatAtMs : Number.NEGATIVE_INFINITY;
}
