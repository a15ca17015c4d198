/**
 * Hosts that have to be empty by a certain time: which of their rooms are on the way, how many more may leave now, and
 * that the next ones are planned as soon as there is place for them.
 */
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostEntry, HostRegistry } from "../hosts/host-registry.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import { MoveWindow } from "./move-window.js";

/** How often it is looked who has arrived. */
const LOOK_MS = 50;

interface Evacuation {
  readonly window: MoveWindow;
  /** Rooms on their way, with when they began. */
  readonly underWay: Map<string, number>;
}

export interface EvacuationsOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  owns: (roomId: string) => boolean;
  events: Emitter<HostEvents>;
  clock: Clock;
  /** These rooms may leave now. */
  plan: (roomIds: readonly string[]) => void;
}

export class Evacuations implements Disposable {
  readonly #options: EvacuationsOptions;
  readonly #hosts = new Map<string, Evacuation>();
  #cancel: (() => void) | undefined;

  constructor(options: EvacuationsOptions) {
    this.#options = options;
    options.events.on("host.changed", ({ host }) => this.#changed(host));
  }

  /** For each host that evacuates: how many more of its rooms may leave now. Undefined if none does. */
  get left(): Record<string, number> | undefined {
    if (this.#hosts.size === 0) return undefined;
    return Object.fromEntries([...this.#hosts.keys()].map((hostId) => [hostId, this.#leftAt(hostId)]));
  }

  /** A room's move from there begins. */
  began(roomId: string, fromHostId: string): void {
    this.#hosts.get(fromHostId)?.underWay.set(roomId, this.#options.clock.now());
  }

  #changed({ facts: { hostId }, stage, emptyByMs }: HostEntry): void {
    if (stage.state !== "draining" || emptyByMs === undefined) {
      this.#hosts.delete(hostId);
      return;
    }
    if (!this.#hosts.has(hostId)) this.#hosts.set(hostId, { window: new MoveWindow(), underWay: new Map() });
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel ??= this.#options.clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      for (const [hostId, evacuation] of this.#hosts) this.#look(hostId, evacuation);
      if (this.#hosts.size > 0) this.#schedule();
    });
  }

  #look(hostId: string, { window, underWay }: Evacuation): void {
    const { rooms, clock, plan } = this.#options;
    for (const [roomId, beganAtMs] of underWay) {
      const room = rooms.get(roomId);
      if (room?.stage.state === "migrating") continue;
      // A move that was ordered in this turn has not begun yet.
      if (room?.stage.hostId === hostId && clock.now() - beganAtMs < LOOK_MS) continue;
      underWay.delete(roomId);
      if (room !== undefined) window.ended(clock.now() - beganAtMs, room.stage.hostId !== hostId);
    }
    const free = this.#leftAt(hostId);
    const waiting = free > 0 ? this.#waiting(hostId).slice(0, free) : [];
    if (waiting.length > 0) plan(waiting.map(({ roomId }) => roomId));
  }

  #leftAt(hostId: string): number {
    const evacuation = this.#hosts.get(hostId);
    const emptyByMs = this.#options.hosts.get(hostId)?.emptyByMs;
    if (evacuation === undefined || emptyByMs === undefined) return 0;
    const { window, underWay } = evacuation;
    const rooms = underWay.size + this.#waiting(hostId).length;
    return Math.max(0, window.limit(rooms, emptyByMs - this.#options.clock.now()) - underWay.size);
  }

  /** Rooms there that may leave, those with the most players first: they lose most if time runs out. */
  #waiting(hostId: string): RoomEntry[] {
    const { hosts, rooms, owns } = this.#options;
    const underWay = this.#hosts.get(hostId)?.underWay;
    return [...(hosts.get(hostId)?.roomIds ?? [])]
      .flatMap((roomId) => {
        const room = rooms.get(roomId);
        const waits = room?.stage.state === "running" && room.stage.hostId === hostId && owns(roomId);
        return waits && underWay?.has(roomId) !== true ? [room] : [];
      })
      .sort((a, b) => b.players - a.players);
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#hosts.clear();
  }
}
