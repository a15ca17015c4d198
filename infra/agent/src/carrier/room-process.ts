/**
 * One room host process of an agent: how it is started and asked, how a hang of it is noticed, and how it ends. Which
 * rooms it gets is decided by `process-carrier.ts`.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Readable } from "node:stream";
import {
  type AgentRequest,
  CentroidError,
  type MeasureOrder,
  type Published,
  type RoomReport,
  roomEventSchema,
  roomReportSchema,
  tryRead,
  type WireError,
} from "@centroid/protocol";
import { batched, endChild, MessageBatch, PendingReplies, unbatched } from "@centroid/protocol/node";
import {
  LAST_WORDS_FD,
  type LastWords,
  monotonicMs,
  parseLastWords,
  ROOM_HOST_MAIN,
} from "@centroid/room-host";
import { z } from "zod";
import { answerQuestion } from "./answer-question.js";
import type { CarrierEvents } from "./carrier.js";
import { roomHostMessages } from "./room-host-messages.js";

/** What every room host of an agent is started with. */
export interface RoomProcessSettings {
  bindHost: string;
  advertiseHost: string;
  roomsBundle: string;
  checkpointIntervalMs: number;
  /** How often players' copies of a state are compared with the room's; 0 is never. */
  compareIntervalMs: number;
  /** Of one player; 0 is no limit. */
  maxFramesPerSecond: number;
  maxBytesPerSecond: number;
  /** By which the room host of that id checks gateways; it takes none if not given. */
  trunkSecret?: (processId: string) => string;
  /** All that room code finds in its environment. */
  environment: Record<string, string>;
}

export interface RoomProcessOptions extends RoomProcessSettings {
  readonly processId: string;
  readonly events: CarrierEvents;
  /** With what it said of that itself. */
  readonly onEnd: (error: CentroidError, lastWords: () => Promise<LastWords | undefined>) => void;
}

const fromRoomHostSchema = z.discriminatedUnion("type", [
  ...roomHostMessages,
  z.object({
    type: z.literal("ready"),
    address: z.string(),
    transport: z.enum(["uws", "ws"]),
    roomTypes: z.array(z.string()),
  }),
  z.object({
    type: z.literal("checkpoint"),
    roomId: z.string(),
    epoch: z.number(),
    seq: z.number(),
    takenAtMs: z.number(),
    bytes: z.instanceof(Uint8Array),
  }),
  z.object({ type: z.literal("room"), roomId: z.string(), epoch: z.number(), change: roomEventSchema }),
]);
type FromRoomHost = z.output<typeof fromRoomHostSchema>;

/** Libraries in it may speak to a process manager over the same channel: Colyseus does where `@pm2/io` is installed. */
const OWN_TYPES: ReadonlySet<unknown> = new Set(
  fromRoomHostSchema.options.map(({ shape }) => shape.type.value),
);

/** A room host that does not answer within this is treated as hung, not as slow, unless authors' code may wait in it. */
const REPLY_TIMEOUT_MS = 15_000;
/** A move has its own deadline at the source, authors' code the broker's; a process that hangs is noticed otherwise. */
const UNBOUNDED: ReadonlySet<string> = new Set(["migrateOut", "createRoom", "restoreRoom", "reserveSeat"]);
/** A room host that has not ended by then is killed; authors' `onDispose` has most of it. */
const STOP_TIMEOUT_MS = 6_000;
/** A room host reports every second what it uses; one that is silent for this long is hung. */
const HUNG_AFTER_MS = 8_000;
const WATCH_INTERVAL_MS = 1_000;
/** Loading the rooms takes a second, on a crowded machine many; a process that takes longer than this hangs. */
const START_TIMEOUT_MS = 60_000;
/** Confirmations go along with other messages, mostly the lease that each heartbeat's answer renews, or so late. */
const CONFIRMATION_MS = 250;
/** What is to be measured may not wait so long where that is soon. */
const ORDER_MS = 100;
const ORDER_SHARE = 1 / 20;
/** By then its last words have arrived after it ended. */
const LAST_WORDS_MS = 200;
const MAX_LAST_WORDS = 4_096;

export class RoomProcess implements AsyncDisposable {
  /** Rooms that it runs, receives or sends, with their epochs. */
  readonly rooms = new Map<string, number>();
  /** Rejects if it does not start. @throws CentroidError CONFIG_INVALID, HOST_LOST */
  readonly ready: Promise<void>;
  /** True from then on: only now it can have rooms. */
  isReady = false;
  /** CPU time so far, memory now. */
  usage = { cpuMicros: 0, rssBytes: 0 };
  /** Share of one core that it used when it last said. */
  load = 0;
  /** Rooms it was given since: what they use is not in `load` yet. */
  newRooms = 0;
  readonly #child: ChildProcess;
  readonly #pending = new PendingReplies();
  readonly #outbox = new MessageBatch<object>((messages) => this.#put(messages, () => undefined));
  readonly #options: RoomProcessOptions;
  #usageAtMs = performance.now();

  constructor(options: RoomProcessOptions) {
    this.#options = options;
    const { processId, environment, trunkSecret, onEnd } = options;
    this.#child = fork(ROOM_HOST_MAIN, [], {
      env: { ...environment, CENTROID_ROOM_HOST: JSON.stringify(settingsOf(options)) },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    });
    // Not in its environment, which any program of the same user can read. One that could not be started has no channel.
    if (trunkSecret !== undefined && this.#child.connected)
      this.#child.send({ trunkSecret: trunkSecret(processId) }, () => undefined);
    const lastWords = readLastWords(this.#child);
    this.ready = this.#watch((error) => {
      this.#pending.fail(error);
      onEnd(error, lastWords);
    });
    // Whoever needs it waits for it.
    this.ready.then(
      () => {
        this.isReady = true;
      },
      () => undefined,
    );
  }

  /** Of the operating system, while it runs. */
  get pid(): number | undefined {
    const { exitCode, signalCode, pid } = this.#child;
    return exitCode === null && signalCode === null ? pid : undefined;
  }

  /** A signal that ended it. */
  get endedBy(): NodeJS.Signals | null {
    return this.#child.signalCode;
  }

  /** Resolves once it can be asked; calls `ended` when it has ended. */
  #watch(ended: (error: CentroidError) => void): Promise<void> {
    const child = this.#child;
    let heardAtMs = performance.now();
    let checkedAtMs = heardAtMs;
    let silenceMs = START_TIMEOUT_MS;
    const watch = setInterval(() => {
      const now = performance.now();
      // If this process itself was suspended, it has not read what arrived meanwhile.
      if (now - checkedAtMs > 2 * WATCH_INTERVAL_MS) heardAtMs = now;
      checkedAtMs = now;
      if (now - heardAtMs > silenceMs) child.kill("SIGKILL");
    }, WATCH_INTERVAL_MS);
    watch.unref();
    return new Promise((resolve, reject) => {
      const receive = (raw: unknown): void => {
        const parsed = tryRead(fromRoomHostSchema, raw);
        if (!parsed.success) {
          if (!OWN_TYPES.has((raw as { type?: unknown } | null)?.type)) return;
          this.#options.events.notice(`room host sent an invalid message: ${z.prettifyError(parsed.error)}`);
          return;
        }
        const message = parsed.data;
        switch (message.type) {
          case "ready":
            silenceMs = HUNG_AFTER_MS;
            resolve();
            return;
          case "failed":
            reject(new CentroidError("CONFIG_INVALID", `rooms do not load: ${message.message}`));
            return;
          default:
            this.#onMessage(message);
        }
      };
      child.on("message", (raw) => {
        heardAtMs = performance.now();
        unbatched(raw).forEach(receive);
      });
      const over = (why: string, cause?: unknown): void => {
        clearInterval(watch);
        const error = new CentroidError("HOST_LOST", `the room host process ${why}`, { cause });
        reject(error);
        ended(error);
      };
      child.once("exit", (code, signal) => over(`ended (${signal ?? `code ${code}`})`));
      // Of a machine that has no process left to give: nothing was started, so nothing will exit.
      child.on("error", (cause) => {
        if (child.pid === undefined) over(`cannot be started: ${cause.message}`, cause);
      });
    });
  }

  #onMessage(message: Exclude<FromRoomHost, { type: "ready" | "failed" }>): void {
    const { events } = this.#options;
    switch (message.type) {
      case "notice":
        events.notice(message.line);
        return;
      case "checkpoint": {
        const { roomId, epoch, seq, takenAtMs, bytes } = message;
        const data = Buffer.from(bytes).toString("base64");
        events.checkpoint({ type: "checkpoint", roomId, epoch, seq, takenAtMs, data });
        return;
      }
      case "published":
        events.published(message);
        return;
      case "asked":
        answerQuestion(this.#child, message, events.ask);
        return;
      case "usage":
        this.#used(message);
        return;
      case "room":
        if (message.change.event === "disposed") this.rooms.delete(message.roomId);
        if (message.change.event === "owned") this.rooms.set(message.roomId, message.epoch);
        events.room(message.roomId, message.epoch, message.change);
        return;
      case "reply":
        this.#pending.reply(message);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  #used({ cpuMicros, rssBytes }: { cpuMicros: number; rssBytes: number }): void {
    const now = performance.now();
    this.load = (cpuMicros - this.usage.cpuMicros) / 1_000 / Math.max(1, now - this.#usageAtMs);
    this.#usageAtMs = now;
    this.newRooms = 0;
    this.usage = { cpuMicros, rssBytes };
  }

  /** @throws CentroidError as answered, HOST_LOST, INTERNAL */
  ask(question: { request: AgentRequest } | { reports: true } | { saveNow: string }): Promise<unknown> {
    const what = "request" in question ? question.request.method : (Object.keys(question)[0] ?? "");
    return this.#pending.ask(
      (requestId, failed) => {
        this.#put([...this.#outbox.take(), { requestId, ...question }], (cause) => {
          if (cause !== null)
            failed(new CentroidError("HOST_LOST", "the room host process has ended", { cause }));
        });
      },
      UNBOUNDED.has(what)
        ? undefined
        : {
            ms: REPLY_TIMEOUT_MS,
            error: () =>
              new CentroidError("INTERNAL", `room host did not answer ${what} within ${REPLY_TIMEOUT_MS} ms`),
          },
    );
  }

  async reports(): Promise<RoomReport[]> {
    return z.array(roomReportSchema).parse(await this.ask({ reports: true }));
  }

  checkpointed(roomId: string, epoch: number, seq: number): void {
    this.#outbox.send({ checkpointed: { roomId, epoch, seq } }, CONFIRMATION_MS);
  }

  unsaved(roomId: string, epoch: number, seq: number, error: WireError): void {
    this.#outbox.send({ unsaved: { roomId, epoch, seq, error } }, CONFIRMATION_MS);
  }

  measure(order: MeasureOrder): void {
    const withinMs = Math.max(ORDER_MS, Math.min(CONFIRMATION_MS, order.intervalMs * ORDER_SHARE));
    this.#outbox.send({ measure: order }, withinMs);
  }

  /** @param lapsed it was over before */
  renewLease(forMs: number, lapsed: boolean): void {
    this.#outbox.send({ leaseUntilMs: monotonicMs() + forMs, lapsed });
  }

  published(said: Published): void {
    this.#outbox.send({ published: said });
  }

  #put(messages: readonly object[], sent: (cause: Error | null) => void): void {
    if (this.pid !== undefined) this.#child.send(batched(messages), sent);
    else sent(new Error("the process has ended"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isReady = await this.ready.then(
      () => true,
      () => false,
    );
    if (isReady) await endChild(this.#child, STOP_TIMEOUT_MS);
  }
}

const settingsOf = ({
  bindHost,
  advertiseHost,
  processId,
  roomsBundle,
  checkpointIntervalMs,
  compareIntervalMs,
  maxFramesPerSecond,
  maxBytesPerSecond,
}: RoomProcessOptions): object => ({
  bindHost,
  advertiseHost,
  processId,
  roomsBundle,
  checkpointIntervalMs,
  compareIntervalMs,
  maxFramesPerSecond,
  maxBytesPerSecond,
});

/** Its own report of what went wrong before it ended; answers once that is known or nothing more will come. */
function readLastWords(child: ChildProcess): () => Promise<LastWords | undefined> {
  // One that could not be started for want of file descriptors has no pipes at all.
  const stdio = child.stdio as ChildProcess["stdio"] | undefined;
  const pipe = stdio?.[LAST_WORDS_FD] as Readable | null | undefined;
  let text = "";
  const ended = new Promise<void>((resolve) => {
    pipe?.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-MAX_LAST_WORDS);
      if (parseLastWords(text)?.how === "hung") child.kill("SIGKILL");
    });
    pipe?.once("close", resolve);
    pipe?.once("error", () => resolve());
  });
  return async () => {
    // Something that the rooms started may hold the pipe open.
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]);
    return parseLastWords(text);
  };
}
