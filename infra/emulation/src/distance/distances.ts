/** Who is where, and how far that is from a host: the state that travel changes. */
import { CentroidError } from "@centroid/protocol";
import type { EmulatorConfig } from "./config.js";

/** Network label of a host as seen by other hosts. */
const HOST_LABEL_PREFIX = "host:";

/** Sites of labels and hosts over one RTT table, and the host addresses that may be reached. */
export class Distances implements Disposable {
  readonly #config: EmulatorConfig;
  readonly #siteOfHost: ReadonlyMap<string, string>;
  readonly #siteOfLabel = new Map<string, string>();
  readonly #targets = new Set<string>();
  readonly #waiting = new Map<string, Set<(known: boolean) => void>>();

  constructor(config: EmulatorConfig) {
    this.#config = config;
    this.#siteOfHost = new Map(config.hosts.map(({ hostId, siteId }) => [hostId, siteId]));
  }

  /** @throws CentroidError NOT_FOUND if the site is not in the table */
  setSite(label: string, siteId: string): void {
    if (!Object.hasOwn(this.#config.rttMs, siteId)) {
      throw new CentroidError(
        "NOT_FOUND",
        `no site ${siteId} in the emulator's table; GET /control lists them`,
      );
    }
    this.#siteOfLabel.set(label, siteId);
  }

  /** A label without a site of its own may name a site, or a host as `host:ID`. */
  siteOf(label: string): string | undefined {
    const site = this.#siteOfLabel.get(label);
    if (site !== undefined) return site;
    if (label.startsWith(HOST_LABEL_PREFIX))
      return this.#siteOfHost.get(label.slice(HOST_LABEL_PREFIX.length));
    return Object.hasOwn(this.#config.rttMs, label) ? label : this.#config.defaultSiteId;
  }

  hasHost(hostId: string): boolean {
    return this.#siteOfHost.has(hostId);
  }

  /** Round trip in ms between a label and a host now; undefined if either is unknown. */
  rttMs(label: string, hostId: string): number | undefined {
    const from = this.siteOf(label);
    const to = this.#siteOfHost.get(hostId);
    if (from === undefined || to === undefined) return undefined;
    return this.#config.rttMs[from]?.[to];
  }

  /** @throws CentroidError NOT_FOUND if the host is not known */
  addTarget(hostId: string, port: number): void {
    if (!this.hasHost(hostId)) throw new CentroidError("NOT_FOUND", `no host ${hostId} behind the emulator`);
    const key = `${hostId}/${port}`;
    this.#targets.add(key);
    for (const settle of this.#waiting.get(key) ?? []) settle(true);
  }

  /**
   * True once the address is registered. Registration and the first connection travel on different
   * channels, so an address not known yet gets `graceMs` to appear.
   */
  async hasTarget(hostId: string, port: number, graceMs: number): Promise<boolean> {
    const key = `${hostId}/${port}`;
    if (this.#targets.has(key)) return true;
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const settle = (known: boolean) => {
        clearTimeout(timer);
        waiting.delete(settle);
        if (waiting.size === 0) this.#waiting.delete(key);
        resolve(known);
      };
      waiting.add(settle);
      const timer = setTimeout(() => settle(false), graceMs);
    });
  }

  [Symbol.dispose](): void {
    for (const waiting of this.#waiting.values()) for (const settle of waiting) settle(false);
  }

  status(): { sites: string[]; hosts: { hostId: string; siteId: string }[]; labels: Record<string, string> } {
    return {
      sites: Object.keys(this.#config.rttMs),
      hosts: this.#config.hosts.map(({ hostId, siteId }) => ({ hostId, siteId })),
      labels: Object.fromEntries(this.#siteOfLabel),
    };
  }
}
