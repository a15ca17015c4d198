/**
 * The players' side of a history: players that say numbers in order and write down what they sent and received,
 * what is done to the system meanwhile, and at the end the verdict.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LedgerRoom } from "../support/ledger.js";
import { watchAcknowledgements } from "./acknowledgements.js";
import { checkHistory } from "./check.js";
import { type HistoryEvent, historyNowMs } from "./events.js";
import { printViolation } from "./print.js";
import { readHistory } from "./read.js";
import { Recorder } from "./recorder.js";
import type { NumberedTick } from "./room-history.js";
import type { Violation } from "./violation.js";

/** The first data frame of a session is Colyseus' own: the player confirms that it has joined. */
const FRAMES_BEFORE_THE_FIRST = 1;
const SAY_EVERY_MS = 50;
const POLL_MS = 50;

export class RecordedPlayer {
  readonly room: LedgerRoom;
  readonly #recorder: Recorder;
  #timer: NodeJS.Timeout | undefined;
  #left = false;
  sent = 0;
  /** The last number that losing the room's host cannot lose, nor this player's seat with it. */
  acknowledged = 0;
  moves = 0;
  restored = 0;
  /** Frames were counted anew. */
  reconnected = false;

  constructor(room: LedgerRoom, recorder: Recorder) {
    this.room = room;
    this.#recorder = recorder;
    const { roomId, sessionId: session } = room;
    room.onMigrate(({ restored }) => {
      if (restored) this.restored++;
      else this.moves++;
    });
    room.onMessage("shot", ({ life, tick }: NumberedTick) =>
      recorder.record({ type: "got", roomId, session, life, tick }),
    );
    room.onReconnect(() => {
      this.reconnected = true;
      recorder.record({ type: "reconnected", session });
    });
    room.onLeave((code) => {
      if (!this.#left) recorder.record({ type: "ended", session, code });
      this.quiet();
    });
  }

  say(): void {
    const { roomId, sessionId: session } = this.room;
    this.sent++;
    this.#recorder.record({ type: "sent", roomId, session, number: this.sent });
    this.room.send("say", this.sent);
  }

  talk(everyMs = SAY_EVERY_MS): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.say(), everyMs);
  }

  quiet(): void {
    clearInterval(this.#timer);
  }

  /** How many numbers the room has of this player, as the player sees the room. */
  get heard(): number {
    return this.room.state?.entries?.get(this.room.sessionId)?.count ?? 0;
  }

  /** The last number that the room has of this player. */
  get last(): number {
    return this.room.state?.entries?.get(this.room.sessionId)?.last ?? 0;
  }

  async leave(): Promise<void> {
    this.#left = true;
    this.quiet();
    await Promise.race([this.room.leave(), new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
  }
}

/** One recording. Rooms are asked to join in with {@link RecordedSystem.options}. */
export class RecordedSystem implements AsyncDisposable {
  readonly folder: string;
  readonly players: RecordedPlayer[] = [];
  readonly #recorder: Recorder;
  readonly #watch: Disposable;

  private constructor(folder: string) {
    this.folder = folder;
    this.#recorder = new Recorder(folder, "players");
    this.#watch = watchAcknowledgements((session, frames) => {
      const number = frames - FRAMES_BEFORE_THE_FIRST;
      const player = this.players.find(({ room }) => room.sessionId === session);
      if (player?.reconnected !== false || number <= 0) return;
      player.acknowledged = number;
      this.#recorder.record({ type: "acknowledged", session, number });
    });
  }

  static async start(): Promise<RecordedSystem> {
    return new RecordedSystem(await mkdtemp(join(tmpdir(), "centroid-history-")));
  }

  /** To be passed when a room of the fixtures is created. */
  get options(): { history: string } {
    return { history: this.folder };
  }

  /** Writes down from now on what this player says and receives; it must not have said anything yet. */
  player(room: LedgerRoom): RecordedPlayer {
    const player = new RecordedPlayer(room, this.#recorder);
    this.players.push(player);
    return player;
  }

  /** Something is done to these processes, from now on, for `forMs` or for ever. */
  fault(what: string, hosts: readonly number[], forMs?: number): void {
    const atMs = historyNowMs();
    this.#recorder.record({
      type: "fault",
      what,
      hosts: [...hosts],
      ...(forMs !== undefined && { untilMs: atMs + forMs }),
      atMs,
    });
  }

  /** True once every room has heard the last number of each of its players. */
  get complete(): boolean {
    return this.players.every(({ last, sent }) => last === sent);
  }

  /** Waits until {@link complete}; false if it does not become so in time. */
  async arrived(withinMs: number): Promise<boolean> {
    const untilMs = performance.now() + withinMs;
    while (!this.complete && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    return this.complete;
  }

  /** What has been written so far. */
  read(): Promise<HistoryEvent[]> {
    return readHistory(this.folder);
  }

  /** @param settled whether everything had time to arrive: what has not is lost then */
  async judge(
    settled = true,
  ): Promise<{ violations: Violation[]; printed: string[]; events: HistoryEvent[] }> {
    if (settled) this.#recorder.record({ type: "settled" });
    const events = await this.read();
    const violations = checkHistory(events);
    return { violations, events, printed: violations.map((violation) => printViolation(violation, events)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const player of this.players) player.quiet();
    this.#watch[Symbol.dispose]();
    this.#recorder[Symbol.dispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
