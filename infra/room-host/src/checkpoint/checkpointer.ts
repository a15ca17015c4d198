/**
 * Saves one running room again and again while it changes, so that the death of its host costs at most what
 * came after the last save. What players sent counts as confirmed only once it is in a saved state: until then
 * they keep it and send it again to whoever has the room next.
 */
import { CentroidError, SHARDS, shardOf } from "@centroid/protocol";
import type { MovableRoom } from "../colyseus/movable-room.js";
import {
  type Acknowledgements,
  checkpointVersion,
  type Received,
  receivedSoFar,
} from "./acknowledgements.js";
import { encodeCheckpoint, takeCheckpoint } from "./checkpoint.js";

/** Saving a large state may take at most this share of the time, however often it changes. */
const MAX_CPU_SHARE = 0.02;
/** Somebody who comes is worth more: the first saves of a cold emulated guest take a tenth of a second. */
const MAX_CPU_SHARE_FOR_NEWCOMERS = 0.2;
/** Who comes, and a room that has just come itself, is saved so soon: until then the host's death would lose them. */
const SOON_MS = 50;
/**
 * What is saved in its turn may wait so long for other rooms' saves, and no longer than this share of the interval. Rooms are
 * saved within this time of each interval, one here and one there so that none holds the others up, and sent at its end:
 * each message wakes agent, broker and store.
 */
const TOGETHER_MS = 250;
const TOGETHER_SHARE = 1 / 4;
/** Timers may be a little early: that turn is over all the same. */
const EARLY_MS = 5;
/** A room that is not in step with others yet is not saved sooner than after this share of the interval. */
const LEAST_SHARE = 1 / 4;
/** A room whose async handlers do not finish is saved in the middle of them after so long. */
const MAX_BUSY_MS = 1_000;
/**
 * A save that nobody keeps is followed by another so soon, since brokers may just be agreeing on who decides about the room;
 * of several in a row each waits twice as long, up to the interval.
 */
const REFUSED_AGAIN_MS = 250;
/** A save that nobody has said anything about by then is forgotten; the next one carries everything again. */
const CONFIRM_TIMEOUT_MS = 5_000;

export interface SavedRoom {
  seq: number;
  takenAtMs: number;
  bytes: Uint8Array;
}

export interface CheckpointerOptions {
  room: MovableRoom;
  options: unknown;
  intervalMs: number;
  /** From when intervals count: the same for all rooms of a process, another elsewhere, lest all hosts save at once. */
  sinceMs: number;
  now: () => number;
  /** True while the room is being moved: the move carries it better. */
  paused: () => boolean;
  /** @param withinMs how long it may wait to be sent with others */
  save: (saved: SavedRoom, withinMs: number) => void;
  acknowledgements: Acknowledgements;
  /** The room cannot be saved as it is; told once per reason. */
  onUnprotected: (error: CentroidError) => void;
}

interface Pending {
  seq: number;
  version: string;
  atMs: number;
  /** Data frames by session that the save has in it. */
  received: Received;
}

export class Checkpointer implements Disposable {
  readonly #options: CheckpointerOptions;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = 0;
  /** The last save, for whose cost the room is left alone afterwards. */
  #last = { endedAtMs: Number.NEGATIVE_INFINITY, costMs: 0 };
  /** Something came that no save has in it yet. */
  #wanted = false;
  /** Since when async code of the author has run at every look, of a room that would be saved. */
  #busySinceMs: number | undefined;
  #disposed = false;
  #seq = 0;
  #savedVersion = "";
  #pending: Pending | undefined;
  /** Saves in a row that nobody kept. */
  #refusals = 0;
  #lastReason = "";
  /** Told when the save of that number, or a later one, is confirmed, or that nobody keeps it. */
  readonly #awaited = new Map<number, (refusal?: CentroidError) => void>();

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#wanted = true;
    this.#schedule(SOON_MS);
  }

  /** Somebody came or left: not to be undone by this host's death. */
  soon(): void {
    if (this.#disposed) return;
    this.#wanted = true;
    if (this.#dueAtMs - this.#options.now() > SOON_MS) this.#schedule(SOON_MS);
  }

  /** The save of that number is where it survives this host. */
  confirmed(seq: number): void {
    const pending = this.#pending;
    if (pending?.seq !== seq) return;
    this.#pending = undefined;
    this.#refusals = 0;
    for (const [awaited, resolve] of this.#awaited) {
      if (awaited > seq) continue;
      this.#awaited.delete(awaited);
      resolve();
    }
    this.#savedVersion = pending.version;
    this.#options.acknowledgements.saved(pending.received);
  }

  /** Nobody keeps the save of that number: what it has in it is as good as never saved. */
  refused(seq: number, why: CentroidError): void {
    if (this.#disposed || this.#pending?.seq !== seq) return;
    this.#pending = undefined;
    this.#awaited.get(seq)?.(why);
    this.#awaited.delete(seq);
    const afterMs = REFUSED_AGAIN_MS * 2 ** this.#refusals++;
    if (this.#dueAtMs - this.#options.now() > afterMs) this.#schedule(afterMs);
  }

  /**
   * The room as it is now, whether it runs or stands still, for a caller that keeps it itself.
   * @throws CentroidError ROOM_NOT_MOVABLE | ROOM_ERROR
   */
  take(): SavedRoom {
    const { room, options, now } = this.#options;
    const takenAtMs = now();
    const bytes = encodeCheckpoint(takeCheckpoint(room, options, takenAtMs));
    return { seq: ++this.#seq, takenAtMs, bytes };
  }

  /**
   * Saves the room as it is now; resolves when that is where it survives this host.
   * @throws CentroidError if the room cannot be saved, nobody keeps it, or nobody has confirmed it in time
   */
  async saveNow(): Promise<void> {
    const seq = this.#save(this.#options.now(), checkpointVersion(this.#options.room), 0);
    await new Promise<void>((resolve, reject) => {
      const late = new CentroidError("MIGRATION_FAILED", "no broker has confirmed the room's checkpoint");
      const timer = setTimeout(() => {
        this.#awaited.delete(seq);
        reject(late);
      }, CONFIRM_TIMEOUT_MS);
      this.#awaited.set(seq, (refusal) => {
        clearTimeout(timer);
        if (refusal === undefined) resolve();
        else reject(refusal);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }

  #schedule(afterMs: number): void {
    const nowMs = this.#options.now();
    const share = this.#wanted ? MAX_CPU_SHARE_FOR_NEWCOMERS : MAX_CPU_SHARE;
    const leastAtMs = this.#last.endedAtMs + this.#last.costMs / share;
    const dueAtMs = Math.max(nowMs + afterMs, leastAtMs);
    const isSoon = afterMs < this.#options.intervalMs;
    this.#dueAtMs = isSoon
      ? dueAtMs
      : Math.max(this.#inStep(dueAtMs), leastAtMs, nowMs + afterMs * LEAST_SHARE);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const again = this.#tick();
      const soon = this.#wanted || this.#busySinceMs !== undefined;
      this.#schedule(again && soon ? SOON_MS : this.#options.intervalMs);
    }, this.#dueAtMs - nowMs);
    this.#timer.unref();
  }

  /** This room's turn at that time, or the last before. */
  #inStep(dueAtMs: number): number {
    const { room, intervalMs, sinceMs } = this.#options;
    const turnMs = sinceMs + (shardOf(room.roomId) / SHARDS) * togetherMs(intervalMs);
    return dueAtMs + EARLY_MS - modulo(dueAtMs + EARLY_MS - turnMs, intervalMs);
  }

  /** Until saves are sent together next. */
  #untilSentMs(): number {
    const { intervalMs, sinceMs, now } = this.#options;
    const withinMs = togetherMs(intervalMs) - modulo(now() - sinceMs, intervalMs);
    return withinMs > 0 ? withinMs : togetherMs(intervalMs);
  }

  /** @returns true if it may be another matter in a moment */
  #tick(): boolean {
    const { room, paused, now } = this.#options;
    if (paused() || room.move.clock.held) return false;
    if (!room.move.activity.busy) this.#busySinceMs = undefined;
    else if (!this.#waitedEnough()) return true;
    if (this.#pending !== undefined && now() - this.#pending.atMs < CONFIRM_TIMEOUT_MS) return true;
    const withinMs = this.#wanted ? 0 : this.#untilSentMs();
    this.#wanted = false;
    const version = checkpointVersion(room);
    if (version === this.#savedVersion) return false;
    const startedAtMs = now();
    try {
      this.#save(startedAtMs, version, withinMs);
      this.#lastReason = "";
    } catch (cause) {
      const error = CentroidError.from(cause);
      if (error.message !== this.#lastReason) this.#options.onUnprotected(error);
      this.#lastReason = error.message;
      // Nothing will make it durable: do not let players keep it for ever.
      this.#options.acknowledgements.saved(receivedSoFar(room));
    }
    const endedAtMs = now();
    this.#last = { endedAtMs, costMs: endedAtMs - startedAtMs };
    return false;
  }

  /**
   * The rest of a handler that is cut in two is lost with the host, as on any server; to save nothing at all would lose
   * everything else too.
   */
  #waitedEnough(): boolean {
    const nowMs = this.#options.now();
    this.#busySinceMs ??= nowMs;
    return nowMs - this.#busySinceMs >= MAX_BUSY_MS;
  }

  /** @returns its number */
  #save(nowMs: number, version: string, withinMs: number): number {
    const saved = this.take();
    this.#busySinceMs = undefined;
    this.#pending = { seq: saved.seq, version, atMs: nowMs, received: receivedSoFar(this.#options.room) };
    this.#options.save(saved, withinMs);
    return saved.seq;
  }
}

const togetherMs = (intervalMs: number): number => Math.min(TOGETHER_MS, intervalMs * TOGETHER_SHARE);

/** Never negative. */
const modulo = (value: number, by: number): number => ((value % by) + by) % by;
