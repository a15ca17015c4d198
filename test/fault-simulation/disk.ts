/**
 * The embedded store on a simulated disk: a write can be read at once and is durable a moment later, in the order in
 * which it was made. A crash loses what is not durable yet; a full disk refuses.
 */
import { MemoryStore, type Store } from "@centroid/broker";
import type { PresenceReply } from "@centroid/protocol";
import type { Draw } from "../support/draw.js";
import type { Buggify } from "./buggify.js";
import type { Scheduler, SimProcess } from "./scheduler.js";

type Write = (store: MemoryStore) => Promise<unknown>;

const FSYNC_MS = { least: 1, most: 8 };
const SLOW_FSYNC_MS = 700;

export class Disk {
  full = false;
  readonly #scheduler: Scheduler;
  readonly #draw: Draw;
  readonly #buggify: Buggify;
  /** What survives a crash: writes in order. */
  readonly #durable: Write[] = [];
  #unsynced: Write[] = [];

  constructor(scheduler: Scheduler, draw: Draw, buggify: Buggify) {
    this.#scheduler = scheduler;
    this.#draw = draw;
    this.#buggify = buggify;
  }

  /** The store as a process that starts now finds it. */
  async open(process: SimProcess): Promise<Store> {
    const memory = new MemoryStore();
    for (const write of this.#durable) await write(memory);
    let syncedAtMs = 0;
    const keep = async (write: Write): Promise<void> => {
      if (this.full) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      if (this.#buggify("disk: write fails", 0.02)) throw new Error("EIO: i/o error, write");
      await write(memory);
      this.#unsynced.push(write);
      const slow = this.#buggify("disk: slow fsync", 0.1) ? SLOW_FSYNC_MS : 0;
      const nowMs = this.#scheduler.nowMs;
      const takesMs = FSYNC_MS.least + this.#draw.unit() * (FSYNC_MS.most - FSYNC_MS.least) + slow;
      syncedAtMs = Math.max(syncedAtMs, nowMs + takesMs);
      await new Promise<void>((resolve) => {
        this.#scheduler.after(syncedAtMs - nowMs, process, () => {
          this.#sync(write);
          resolve();
        });
      });
    };
    return {
      // Made at the first start, before anything else happens: on the disk at once.
      secret: async (name, create) => {
        const secret = await memory.secret(name, create);
        this.#durable.push((store) => store.secret(name, () => secret).then(() => undefined));
        return secret;
      },
      values: () => memory.values(),
      putValue: (name, value) => keep((store) => store.putValue(name, value)),
      rooms: () => memory.rooms(),
      records: (roomIds) => memory.records(roomIds),
      saved: (shards) => memory.saved(shards),
      removeCheckpoint: (checkpoint) => keep((store) => store.removeCheckpoint(checkpoint)),
      checkpoint: (roomId) => memory.checkpoint(roomId),
      openMigrations: () => memory.openMigrations(),
      receipts: (filter) => memory.receipts(filter),
      audit: (filter) => memory.audit(filter),
      putRoom: (room) => keep((store) => store.putRoom(room)),
      nextEpoch: async (roomId, above) => {
        const given: number[] = [];
        await keep(async (store) => void given.push(await store.nextEpoch(roomId, above)));
        return given[0] ?? above + 1;
      },
      takePlayerId: async (playerId, untilMs, nowMs) => {
        const taken: boolean[] = [];
        await keep(async (store) => void taken.push(await store.takePlayerId(playerId, untilMs, nowMs)));
        return taken[0] === true;
      },
      extendPlayerId: (playerId, untilMs) => keep((store) => store.extendPlayerId(playerId, untilMs)),
      removeRoom: (roomId) => keep((store) => store.removeRoom(roomId)),
      putCheckpoint: (...saved) => keep((store) => store.putCheckpoint(...saved)),
      journal: (entry) => keep((store) => store.journal(entry)),
      closeMigration: (receipt) => keep((store) => store.closeMigration(receipt)),
      appendAudit: (entry) => keep((store) => store.appendAudit(entry)),
      presence: async (command, nowMs) => {
        const replies: PresenceReply[] = [];
        await keep(async (store) => void replies.push(await store.presence(command, nowMs)));
        return replies[0] ?? null;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  #sync(write: Write): void {
    const upTo = this.#unsynced.indexOf(write);
    if (upTo >= 0) this.#durable.push(...this.#unsynced.splice(0, upTo + 1));
  }

  /** The process that had it open has crashed: what was on its way is there in part, the first of it first. */
  crashed(): void {
    const kept = this.#draw.below(this.#unsynced.length + 1);
    this.#durable.push(...this.#unsynced.slice(0, kept));
    this.#unsynced = [];
  }
}
