/**
 * Hosts that took rooms a moment ago and cannot just now: they are busy, or a network fails. Who finds no other host for a
 * room waits for them: most are back within seconds.
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
  /** Aborted: nobody waits any longer. */
  signal: AbortSignal;
}

export class LateHosts {
  readonly #options: LateHostsOptions;
  readonly #waiting = new Set<() => void>();

  constructor(options: LateHostsOptions) {
    this.#options = options;
    const wake = (): void => {
      for (const resolve of [...this.#waiting]) resolve();
    };
    options.events.on("host.changed", wake);
    options.signal.addEventListener("abort", wake);
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
      const late = suited.filter((host) => isLate(host, now));
      if (late.length === 0) return false;
      const heardAtMs = Math.max(...late.map(({ lastHeartbeatAtMs }) => lastHeartbeatAtMs));
      await this.#changed(Math.min(untilMs, heardAtMs + LATE_HOST_MS) - now);
    }
  }

  /** Resolves at the next change of any host, or so late. */
  #changed(withinMs: number): Promise<void> {
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

/** One that drains takes no rooms when it is back either, or only once it is another program. */
function isLate({ stage, peer, lastHeartbeatAtMs }: HostEntry, now: number): boolean {
  const isAway =
    stage.state === "lost" ? stage.before === "active" : stage.state === "active" && peer === undefined;
  return isAway && now < lastHeartbeatAtMs + LATE_HOST_MS;
}
