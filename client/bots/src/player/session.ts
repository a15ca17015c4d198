/**
 * One stay of a bot in a room: plays, and keeps its own books of every message, both ways. Nothing the SDK says
 * about messages is taken for granted; the room's ledger and the numbers decide.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CentroidRoom, MigrateEvent } from "@centroid/sdk";
import { expectedChecksum } from "../measure/checksum.js";
import type { Uniform } from "../measure/random.js";
import { SequenceCheck } from "../measure/sequence-check.js";
import { SilenceMeter } from "../measure/silence-meter.js";
import type { Tally } from "../measure/tally.js";
import type { Behaviour, BotView } from "./behaviours.js";

/**
 * Messages that are still to be counted are lost once the room has counted none for so long. As long as it goes on counting it
 * is only slow, as it is where players and hosts share too few cores.
 */
const SETTLE_TIMEOUT_MS = 10_000;
const ECHO_INTERVAL_MS = 1_000;
/** Longer than a lost host takes to be replaced. */
const REQUEST_TIMEOUT_MS = 15_000;
/** A host that does not answer a good-bye by then is not waited for. */
const LEAVE_TIMEOUT_MS = 2_000;

export interface SessionOptions {
  readonly room: CentroidRoom<BotView>;
  readonly behaviour: Behaviour;
  readonly tally: Tally;
  readonly random: Uniform;
  readonly inputsPerSecond: number;
}

export class BotSession {
  readonly #options: SessionOptions;
  readonly #silence = new SilenceMeter();
  readonly #echoes = new Map<number, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  #broadcasts: SequenceCheck | undefined;
  /** Moves whose silence is not over yet. */
  readonly #pendingSilences = new Set<() => void>();
  #nextEcho = 0;
  /** A request has no answer yet. */
  #asking = false;
  #sent = 0;
  #checksum = 0;
  /** Called on every state update while the end is awaited. */
  #onUpdate: (() => void) | undefined;
  #playing = true;
  readonly ended: Promise<void>;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { room, behaviour, tally } = options;
    tally.now.playing += 1;
    room.onStateChange((state) => this.#update(state));
    room.onMessage(behaviour.broadcastType, ({ n }: { n: number }) => {
      tally.now.received += 1;
      this.#broadcasts ??= new SequenceCheck(n - 1);
      this.#broadcasts.record(n);
    });
    room.onMessage("echo", ({ t }: { t: number }) => this.#echoed(t));
    room.onMigrate((move) => this.#migrated(move));
    room.onError((code) => tally.error({ code }));
    // Colyseus tells of every failed attempt to come back, too.
    let dropped = false;
    room.onDrop(() => {
      if (!dropped) tally.error({ code: "DROPPED" });
      dropped = true;
    });
    room.onReconnect(() => {
      dropped = false;
    });
    this.ended = new Promise((resolve) => {
      room.onLeave((code) => {
        if (this.#playing) tally.error({ code: `LEFT_${code}` });
        this.#stop();
        resolve();
      });
    });
    const { random, inputsPerSecond } = options;
    // Out of step with each other, like people.
    const start = (everyMs: number, run: () => void) =>
      this.#timers.push(setTimeout(() => this.#timers.push(setInterval(run, everyMs)), random() * everyMs));
    start(1000 / inputsPerSecond, () => this.#input());
    start(ECHO_INTERVAL_MS, () => this.#echo());
  }

  /** Stops playing, waits until the room has counted everything, closes the books, leaves. */
  async finish(): Promise<void> {
    const wasPlaying = this.#playing;
    this.#stop();
    if (wasPlaying) await this.#settled();
    this.#closeBooks();
    if (wasPlaying) await this.#leave();
  }

  async #leave(): Promise<void> {
    const { room, tally } = this.#options;
    room.reconnection.enabled = false;
    const timeout = new AbortController();
    const late = sleep(LEAVE_TIMEOUT_MS, "late", { signal: timeout.signal }).catch(() => undefined);
    const outcome = await Promise.race([room.leave(true), late]);
    timeout.abort();
    if (outcome === "late") tally.error({ code: "LEAVE_TIMEOUT" });
  }

  #stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.length = 0;
    if (this.#playing) this.#options.tally.now.playing -= 1;
    this.#playing = false;
  }

  #update(state: BotView): void {
    const { tally } = this.#options;
    tally.now.updates += 1;
    this.#silence.update(performance.now());
    this.#broadcasts ??= new SequenceCheck(state.broadcasts ?? 0);
    this.#onUpdate?.();
  }

  #input(): void {
    const { room, behaviour, random, tally } = this.#options;
    if (this.#asking) return;
    const n = this.#sent + 1;
    const nonce = Math.floor(random() * 2 ** 32);
    for (const { type, message } of behaviour.play(room.state, { n, nonce }, random)) {
      if (behaviour.asks === true) void this.#ask(type, message);
      else room.send(type, message);
      tally.now.sent += 1;
    }
    this.#sent = n;
    this.#checksum = expectedChecksum(this.#checksum, n, nonce);
  }

  async #ask(type: string, message: Readonly<Record<string, unknown>>): Promise<void> {
    const { room, tally } = this.#options;
    const startedAtMs = performance.now();
    this.#asking = true;
    try {
      await room.request(type as never, message as never, { timeout: REQUEST_TIMEOUT_MS });
      tally.now.rttMs.push(performance.now() - startedAtMs);
    } catch (cause) {
      if (this.#playing) tally.error(cause);
    } finally {
      this.#asking = false;
    }
  }

  #echo(): void {
    const { room, tally } = this.#options;
    const t = this.#nextEcho++;
    this.#echoes.set(t, performance.now());
    room.send("echo", { t });
    tally.now.sent += 1;
  }

  #echoed(t: number): void {
    const { tally, behaviour } = this.#options;
    tally.now.received += 1;
    const sentAtMs = this.#echoes.get(t);
    if (sentAtMs === undefined) {
      tally.now.duplicated += 1;
      return;
    }
    this.#echoes.delete(t);
    if (behaviour.asks !== true) tally.now.rttMs.push(performance.now() - sentAtMs);
    this.#onUpdate?.();
  }

  #migrated(move: MigrateEvent): void {
    const { tally } = this.#options;
    tally.migration(move.migrationId);
    const atMs = performance.now();
    const tell = () => {
      this.#pendingSilences.delete(tell);
      clearTimeout(timer);
      const { longestMs, beyondTickMs } = this.#silence.around(atMs);
      tally.now.silenceMs.push(longestMs);
      tally.now.freezeMs.push(beyondTickMs);
    };
    const timer = setTimeout(tell, this.#silence.settleMs);
    this.#pendingSilences.add(tell);
  }

  #settled(): Promise<void> {
    const { room, behaviour } = this.#options;
    const left = () =>
      this.#echoes.size + this.#sent - (behaviour.ledgerOf(room.state, room.sessionId)?.last ?? 0);
    let before = left();
    if (before === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#onUpdate = undefined;
        resolve();
      };
      const timer = setTimeout(finish, SETTLE_TIMEOUT_MS);
      this.#onUpdate = () => {
        const now = left();
        if (now === 0) finish();
        else if (now < before) timer.refresh();
        before = now;
      };
      void this.ended.then(finish);
    });
  }

  #closeBooks(): void {
    for (const tell of this.#pendingSilences) tell();
    const { room, behaviour, tally } = this.#options;
    const ledger = behaviour.ledgerOf(room.state, room.sessionId);
    const up = ledger ?? { last: 0, received: 0, missing: 0, duplicated: 0, reordered: 0, checksum: 0 };
    const down = this.#broadcasts;
    const lostUp = up.missing + Math.max(0, this.#sent - up.last);
    const lostDown = down?.lost(room.state?.broadcasts ?? 0) ?? 0;
    tally.now.lost += lostUp + lostDown + this.#echoes.size;
    tally.now.duplicated += up.duplicated + (down?.duplicated ?? 0);
    tally.now.reordered += up.reordered + (down?.reordered ?? 0);
    const exact = lostUp === 0 && up.duplicated === 0 && up.reordered === 0;
    if (exact && up.checksum !== this.#checksum) tally.now.corrupted += 1;
  }
}
