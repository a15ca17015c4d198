/**
 * Which hosts are there: they say hello, send heartbeats, fall silent and come back. A silent host counts as lost only
 * when every other broker has said that it does not receive its heartbeats either, and not because this broker stood
 * still itself.
 */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Cluster } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { AgentLink } from "./agent-link.js";
import type { Heartbeat, Hello } from "./agent-server.js";
import type { HostEvents } from "./host-events.js";
import type { HostEntry, HostRegistry } from "./host-registry.js";

/** Of the silence that counts: a broker that looks at its hosts so late was not there itself. */
const STOOD_STILL_SHARE = 3 / 16;
/** Of it again: how often hosts are looked at while one of them is silent, and while none is. */
const SILENT_PAUSE_SHARE = 1 / 16;
const CALM_PAUSE_SHARE = 3 / 16;
/** Of it again: more than a heartbeat is late as a rule. */
const SILENT_SHARE = 1 / 4;
/** Of it again: more than a heartbeat may well be late. */
const SUSPECT_SHARE = 1 / 2;
/** Of it again: an answer of another broker that is older is asked for anew. */
const ANSWER_SHARE = 1 / 4;
/** Other brokers answer what they hear within this, or do not count as having answered. */
const OTHERS_ANSWER_WITHIN_MS = 500;
const ANSWER_POLL_MS = 20;
/** A clock may run so much slower than another. */
export const CLOCK_MARGIN = 1.05;

export interface HostLivenessOptions {
  hosts: HostRegistry;
  events: Emitter<HostEvents>;
  cluster: Pick<Cluster, "publish" | "reachable" | "others">;
  clock: Clock;
  logger: Logger;
  lostAfterMs: number;
  /** How long after a heartbeat the host may run its rooms. */
  leaseMs: number;
  /** An agent whose rooms' machines run on without it may be started again within this. */
  agentRestartMs: number;
  /** A host away longer than this is forgotten with its rooms. */
  forgetAfterMs: number;
}

interface Inquiry {
  /** By broker that has answered: when it heard the host last. */
  heardAtMs: Map<string, number>;
  mayRun: Promise<boolean>;
}

export class HostLiveness {
  readonly #options: HostLivenessOptions;
  #stopped = false;
  /** When hosts are to be looked at next. */
  #sweepAtMs: number;
  /** Silence counts from then on. */
  #awakeSinceMs = 0;
  /** Hosts that are silent, with the time of their last heartbeat. */
  readonly #suspected = new WeakMap<HostEntry, number>();
  /** Hosts whose agent ended, with until when it may be started again. */
  readonly #restarting = new WeakMap<HostEntry, number>();
  /** When another broker last said that it hears a host: as long as one does, the host runs its rooms. */
  readonly #elsewhereMs = new WeakMap<HostEntry, number>();
  /** When which broker last said anything about a host that this one does not hear. */
  readonly #answers = new WeakMap<HostEntry, Map<string, number>>();
  /** Hosts that are not known here and that others are being asked about. */
  readonly #inquiries = new Map<string, Inquiry>();

  constructor(options: HostLivenessOptions) {
    this.#options = options;
    this.#sweepAtMs = options.clock.now();
  }

  /** An agent connected and proved to know the token. */
  hello(hello: Hello, link: AgentLink): void {
    const { hosts, events, clock, logger } = this.#options;
    const { type: _, rooms: reports, app, ...facts } = hello;
    const host = hosts.hello(facts, link, clock.now());
    host.app = app;
    logger.info({ hostId: facts.hostId, rooms: reports.length }, "host connected");
    events.emit("host.connected", { host, reports });
    events.emit("host.changed", { host });
  }

  /** @returns false if the host counts as lost: its rooms may be elsewhere, so nothing may make it go on */
  heartbeat(hostId: string, { load, rssBytes, speed, app }: Heartbeat): boolean {
    const host = this.#options.hosts.get(hostId);
    if (host === undefined) return false;
    const news = host.load !== load || host.rssBytes !== rssBytes;
    const isMeasured = speed !== undefined && JSON.stringify(speed) !== JSON.stringify(host.speed);
    host.speed = speed ?? host.speed;
    host.load = load;
    host.rssBytes = rssBytes;
    host.app = app;
    host.lastHeartbeatAtMs = this.#options.clock.now();
    // It was silent for long: whatever it runs may be over. Its next hello says what that is.
    if (host.stage.state === "lost") {
      host.peer?.close();
      return false;
    }
    if (isMeasured) this.#options.events.emit("host.measured", { host });
    else if (news) this.#options.events.emit("host.usage", { host });
    return true;
  }

  /**
   * The connection to an agent broke. That its process has ended does not follow: networks break connections, too, so
   * its rooms may run until their lease is over.
   */
  closed(link: AgentLink): void {
    const { hosts, events, clock, agentRestartMs, logger } = this.#options;
    const host = hosts.get(link.hostId);
    if (host?.peer !== link) return;
    host.peer = undefined;
    logger.warn({ hostId: link.hostId }, "connection to host broke");
    events.emit("host.changed", { host });
    const runsOn = host.facts.carriers.some((carrier) => carrier !== "process");
    if (runsOn) this.#restarting.set(host, clock.now() + agentRestartMs);
  }

  /**
   * Another broker does not hear this host. As long as a lease of this one may hold, it must not take it for lost.
   * @param withdrawn the give-away after which this broker does not answer the host any more
   */
  askedByBroker(hostId: string, withdrawn?: string): void {
    const { hosts, clock, cluster } = this.#options;
    const host = hosts.get(hostId);
    const agoMs = host && Math.max(0, clock.now() - host.lastHeartbeatAtMs);
    cluster.publish("host-heard", {
      hostId,
      promises: true,
      ...(agoMs !== undefined && { agoMs }),
      ...(withdrawn !== undefined && { withdrawn }),
    });
  }

  /** Another broker heard this host so long ago, which renewed its lease, or not at all. */
  heardByBroker(hostId: string, agoMs: number | undefined, brokerId: string): void {
    const { hosts, clock } = this.#options;
    const host = hosts.get(hostId);
    const now = clock.now();
    const heardAtMs = agoMs === undefined ? Number.NEGATIVE_INFINITY : now - agoMs;
    this.#inquiries.get(hostId)?.heardAtMs.set(brokerId, heardAtMs);
    if (host === undefined) return;
    const answers = this.#answers.get(host) ?? new Map<string, number>();
    answers.set(brokerId, now);
    this.#answers.set(host, answers);
    if (agoMs === undefined) return;
    const atMs = now - agoMs;
    this.#elsewhereMs.set(host, Math.max(atMs, this.#elsewhereMs.get(host) ?? atMs));
  }

  /** True if a host that this broker does not know may run its rooms because another broker answers it (OWN-12). */
  mayRunByOthers(hostId: string): Promise<boolean> {
    const known = this.#inquiries.get(hostId);
    if (known !== undefined) return known.mayRun;
    const heardAtMs = new Map<string, number>();
    const mayRun = this.#inquire(hostId, heardAtMs).finally(() => this.#inquiries.delete(hostId));
    this.#inquiries.set(hostId, { heardAtMs, mayRun });
    this.#askOthers(hostId);
    return mayRun;
  }

  async #inquire(hostId: string, heardAtMs: ReadonlyMap<string, number>): Promise<boolean> {
    const { hosts, cluster, clock, lostAfterMs } = this.#options;
    const untilMs = clock.now() + OTHERS_ANSWER_WITHIN_MS;
    const haveAnswered = (): boolean => cluster.others().every(({ brokerId }) => heardAtMs.has(brokerId));
    while (!haveAnswered() && clock.now() < untilMs)
      await new Promise<void>((resolve) => clock.after(ANSWER_POLL_MS, resolve));
    const since = clock.now() - lostAfterMs;
    const isHeard = [...heardAtMs.values()].some((atMs) => atMs > since);
    return isHeard || !haveAnswered() || !cluster.reachable() || hosts.get(hostId) !== undefined;
  }

  /** One that cannot be asked may be in contact with the host, and counts until its own lease is over (OWN-12). */
  #allHaveAnswered(host: HostEntry, now: number): boolean {
    const { cluster, lostAfterMs } = this.#options;
    const since = now - lostAfterMs * ANSWER_SHARE;
    const answers = this.#answers.get(host);
    return cluster.others().every(({ brokerId }) => (answers?.get(brokerId) ?? 0) >= since);
  }

  /** Nothing counts as lost from now on: the broker ends. */
  stop(): void {
    this.#stopped = true;
  }

  /** Looks whose silence is too long. @returns in how many ms it is to be called again: more often while a host is silent */
  sweep(): number {
    const { lostAfterMs, clock } = this.#options;
    const pauseMs = lostAfterMs * (this.#look() ? SILENT_PAUSE_SHARE : CALM_PAUSE_SHARE);
    this.#sweepAtMs = clock.now() + pauseMs;
    return pauseMs;
  }

  /** @returns whether a host that does not count as lost is silent */
  #look(): boolean {
    const { hosts, clock, cluster, lostAfterMs, leaseMs, forgetAfterMs } = this.#options;
    if (this.#stopped) return false;
    const now = clock.now();
    let isSilent = false;
    // A broker that stood still has not read yet what hosts sent meanwhile: silence counts from when it woke up.
    if (now - this.#sweepAtMs > lostAfterMs * STOOD_STILL_SHARE) this.#awakeSinceMs = now;
    // Nor can others say which hosts they hear: silence counts from when they can be asked (FAIL-2).
    if (!cluster.reachable()) this.#awakeSinceMs = now;
    for (const host of [...hosts.values()]) {
      const elsewhereMs = this.#elsewhereMs.get(host) ?? Number.NEGATIVE_INFINITY;
      const silentMs = now - Math.max(host.lastHeartbeatAtMs, this.#awakeSinceMs, elsewhereMs);
      isSilent ||= host.stage.state !== "lost" && now - host.lastHeartbeatAtMs > lostAfterMs * SILENT_SHARE;
      if (host.peer === undefined && now < (this.#restarting.get(host) ?? 0)) continue;
      // One whose connection holds may only be late.
      const patienceMs =
        host.peer === undefined ? Math.min(leaseMs * CLOCK_MARGIN, lostAfterMs) : lostAfterMs;
      if (host.stage.state !== "lost" && silentMs > patienceMs && this.#allHaveAnswered(host, now))
        this.#lost(host, host.peer === undefined ? "its agent is away" : "no heartbeat");
      else if (host.stage.state !== "lost" && silentMs > lostAfterMs * SUSPECT_SHARE) {
        this.#suspect(host);
        this.#askOthers(host.facts.hostId);
      } else if (host.stage.state === "lost" && silentMs > forgetAfterMs) this.#forget(host);
    }
    return isSilent;
  }

  #askOthers(hostId: string): void {
    this.#options.cluster.publish("host-asked", { hostId });
  }

  #suspect(host: HostEntry): void {
    if (this.#suspected.get(host) === host.lastHeartbeatAtMs) return;
    this.#suspected.set(host, host.lastHeartbeatAtMs);
    this.#options.events.emit("host.suspected", { host });
  }

  #lost(host: HostEntry, why: string): void {
    const { hosts, events, clock, logger } = this.#options;
    const { hostId } = host.facts;
    hosts.apply(hostId, { type: "missed-heartbeats", atMs: clock.now() });
    logger.error({ hostId, rooms: host.roomIds.size }, `host lost: ${why}`);
    events.emit("host.lost", { host });
    events.emit("host.changed", { host });
  }

  #forget(host: HostEntry): void {
    const { hosts, events, logger } = this.#options;
    const { hostId } = host.facts;
    events.emit("host.forgotten", { host });
    hosts.remove(hostId);
    logger.warn({ hostId }, "host forgotten: it did not come back");
    events.emit("host.removed", { hostId });
  }
}
