/**
 * The simulated network: connections that keep their own order and nobody else's, ways that are cut in one direction,
 * connections that break with what was under way, machines that end with or without a word.
 */
import type { Draw } from "../support/draw.js";
import type { Buggify } from "./buggify.js";
import type { Scheduler, SimProcess } from "./scheduler.js";
import { SimSocket } from "./socket.js";

/** Between two machines, one way; on one machine next to nothing. */
const LATENCY_MS = { least: 1, most: 40 };
const LOOPBACK_MS = 0.05;
const JITTER_MS = 2;
/** A packet that is lost is sent again. */
const RETRANSMIT_MS = { least: 200, most: 900 };
/** Nobody answers a dial to a machine that is off. */
const DEAD_PEER_MS = 20_000;
/** Whoever dials does not wait for longer. */
const DIAL_TIMEOUT_MS = 2_000;

type OnConnection = (socket: SimSocket, url: URL) => void;

export class Network {
  readonly #scheduler: Scheduler;
  readonly #draw: Draw;
  readonly #buggify: Buggify;
  readonly #listeners = new Map<string, { process: SimProcess; life: number; accept: OnConnection }>();
  readonly #latency = new Map<string, number>();
  /** How often a way is cut, `from>to`. */
  readonly #cuts = new Map<string, number>();
  #held: { way: string; carry: () => void }[] = [];
  readonly #open = new Set<SimSocket>();
  /** Machines whose ports neither answer nor refuse while nobody listens there. */
  readonly #dark = new Set<string>();

  constructor(scheduler: Scheduler, draw: Draw, buggify: Buggify) {
    this.#scheduler = scheduler;
    this.#draw = draw;
    this.#buggify = buggify;
  }

  /** @param address `machine:port` */
  listen(address: string, process: SimProcess, accept: OnConnection): void {
    this.#listeners.set(address, { process, life: process.life, accept });
  }

  dial(process: SimProcess, url: string): SimSocket {
    const target = new URL(url);
    const near = new SimSocket(this, process);
    const far = new SimSocket(this, undefined, target.hostname);
    near.pair(far);
    this.#open.add(near);
    this.carry(near, undefined, () => {
      const listener = this.#listeners.get(target.host);
      if (listener === undefined || listener.process.life !== listener.life) {
        if (this.#dark.has(target.hostname)) this.later(DIAL_TIMEOUT_MS, process, () => near.broke());
        else this.carry(far, process, () => near.refused());
        return;
      }
      far.own(listener.process);
      this.#open.add(far);
      this.#scheduler.after(0, listener.process, () => {
        far.opened();
        this.carry(far, process, () => near.opened());
        listener.accept(far, target);
      });
    });
    return near;
  }

  /** From now on a dial to this machine is not refused where nobody listens: it is off, or a proxy answers for it. */
  darken(machine: string): void {
    this.#dark.add(machine);
  }

  lighten(machine: string): void {
    this.#dark.delete(machine);
  }

  /** Brings what one end sends to the other: behind all that it sent before, later if the way is cut. */
  carry(from: SimSocket, to: SimProcess | undefined, arrive: () => void): void {
    const way = `${from.machine}>${from.peer.machine}`;
    if ((this.#cuts.get(way) ?? 0) > 0 || this.#held.some((held) => held.way === way)) {
      this.#held.push({ way, carry: () => this.#deliver(from, to, arrive) });
      return;
    }
    this.#deliver(from, to, arrive);
  }

  #deliver(from: SimSocket, to: SimProcess | undefined, arrive: () => void): void {
    const { nowMs } = this.#scheduler;
    const arrivesAtMs = Math.max(nowMs + this.#delayMs(from.machine, from.peer.machine), from.arrivesAtMs);
    from.arrivesAtMs = arrivesAtMs;
    this.#scheduler.after(arrivesAtMs - nowMs, to, arrive, true);
  }

  #delayMs(from: string, to: string): number {
    if (from === to) return LOOPBACK_MS;
    const pair = from < to ? `${from} ${to}` : `${to} ${from}`;
    let latencyMs = this.#latency.get(pair);
    if (latencyMs === undefined) {
      latencyMs = LATENCY_MS.least + this.#draw.unit() * (LATENCY_MS.most - LATENCY_MS.least);
      this.#latency.set(pair, latencyMs);
    }
    const lost = this.#buggify("network: packet lost", 0.03)
      ? RETRANSMIT_MS.least + this.#draw.unit() * (RETRANSMIT_MS.most - RETRANSMIT_MS.least)
      : 0;
    return latencyMs + this.#draw.unit() * JITTER_MS + lost;
  }

  /** Nothing gets from one machine to the other until it is healed; the other way stays open. */
  cut(from: string, to: string): void {
    const way = `${from}>${to}`;
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
  }

  heal(from: string, to: string): void {
    const way = `${from}>${to}`;
    const left = (this.#cuts.get(way) ?? 0) - 1;
    if (left > 0) {
      this.#cuts.set(way, left);
      return;
    }
    this.#cuts.delete(way);
    const free = this.#held.filter((held) => held.way === way);
    this.#held = this.#held.filter((held) => held.way !== way);
    for (const { carry } of free) carry();
  }

  /** Open connections, each by the end that dialled. */
  connections(): SimSocket[] {
    return [...this.#open].filter((socket) => socket.dialled && socket.readyState === SimSocket.OPEN);
  }

  /** A connection breaks with all that is under way; its ends notice one after the other. */
  reset(socket: SimSocket): void {
    for (const end of [socket, socket.peer]) {
      end.deaf = true;
      this.#scheduler.after(this.#draw.unit() * 100, end.process, () => end.broke());
    }
  }

  /** @param silent the machine is off: nobody hears that the process has ended until the machine is back */
  ended(process: SimProcess, silent: boolean): void {
    for (const socket of [...this.#open]) {
      if (socket.process !== process) continue;
      socket.buried();
      const { peer } = socket;
      if (peer.process === process) continue;
      // A system that resets a connection throws away what the other end has not read yet.
      if (this.#buggify("network: reset at end", 0.5)) peer.deaf = true;
      if (silent) this.#scheduler.after(DEAD_PEER_MS, peer.process, () => peer.broke());
      else this.carry(socket, peer.process, () => peer.broke());
    }
  }

  forget(socket: SimSocket): void {
    this.#open.delete(socket);
  }

  later(delayMs: number, process: SimProcess | undefined, run: () => void): () => void {
    return this.#scheduler.after(delayMs, process, run);
  }
}
