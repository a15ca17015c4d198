/**
 * Rooms in an ordinary process: one room host, forked when it is first needed, holds all rooms of the host.
 * If it dies, its rooms are reported lost and a fresh one takes new rooms.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Readable } from "node:stream";
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  CentroidError,
  type Published,
  type RoomReport,
  roomEventSchema,
  roomReportSchema,
  tryRead,
} from "@centroid/protocol";
import { endChild, PendingReplies } from "@centroid/protocol/node";
import {
  LAST_WORDS_FD,
  type LastWords,
  monotonicMs,
  parseLastWords,
  ROOM_HOST_MAIN,
} from "@centroid/room-host";
import { z } from "zod";
import { answerQuestion } from "./answer-question.js";
import type { Carrier, CarrierEvents } from "./carrier.js";
import { roomHostMessages } from "./room-host-messages.js";

export interface ProcessCarrierOptions {
  hostId: string;
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
  events: CarrierEvents;
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

/** Libraries in it may speak to a process manager over the same channel: Colyseus does where `@pm2/io` is installed. */
const OWN_TYPES: ReadonlySet<unknown> = new Set(
  fromRoomHostSchema.options.map(({ shape }) => shape.type.value),
);

/** A room host that does not answer within this is treated as hung, not as slow, unless authors' code may wait in it. */
const REPLY_TIMEOUT_MS = 15_000;
/** A move has its own deadline at the source, authors' code the broker's; a process that hangs is noticed otherwise. */
const UNBOUNDED: ReadonlySet<AgentMethod> = new Set([
  "migrateOut",
  "createRoom",
  "restoreRoom",
  "reserveSeat",
]);
/** A room host that has not ended by then is killed; authors' `onDispose` has most of it. */
const STOP_TIMEOUT_MS = 6_000;
/** A room host reports every second what it uses; one that is silent for this long is hung. */
const HUNG_AFTER_MS = 8_000;
const WATCH_INTERVAL_MS = 1_000;
/** Loading the rooms takes a second, on a crowded machine many; a process that takes longer than this hangs. */
const START_TIMEOUT_MS = 60_000;
/** By then its last words have arrived after it ended. */
const LAST_WORDS_MS = 200;
const MAX_LAST_WORDS = 4_096;

interface RunningHost {
  readonly child: ChildProcess;
  readonly pending: PendingReplies;
}

export class ProcessCarrier implements Carrier {
  readonly kind = "process";
  readonly #options: ProcessCarrierOptions;
  readonly #rooms = new Map<string, number>();
  #child: ChildProcess | undefined;
  #host: Promise<RunningHost> | undefined;
  #usage = { cpuMicros: 0, rssBytes: 0 };
  #nextProcess = 1;
  #disposed = false;

  constructor(options: ProcessCarrierOptions) {
    this.#options = options;
  }

  /** Process id of the room host, if one runs. */
  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined;
  }

  warmUp(): void {
    if (this.#disposed) return;
    this.#roomHost().catch((cause: unknown) => {
      // A Ctrl-C or a stop reaches the whole group; a process that was still loading could not wait for its agent.
      const signal = this.#child?.signalCode;
      if (signal === "SIGINT" || signal === "SIGTERM" || signal === "SIGHUP") return;
      this.#options.events.notice(CentroidError.from(cause).message);
    });
  }

  has(roomId: string): boolean {
    return this.#rooms.has(roomId);
  }

  async reports(): Promise<RoomReport[]> {
    if (this.#host === undefined) return [];
    const host = await this.#host.catch(() => undefined);
    if (host === undefined) return [];
    return z.array(roomReportSchema).parse(await this.#ask(host, { reports: true }, REPLY_TIMEOUT_MS));
  }

  checkpointed(roomId: string, epoch: number, seq: number): void {
    if (this.pid !== undefined) this.#child?.send({ checkpointed: { roomId, epoch, seq } }, () => undefined);
  }

  renewLease(forMs: number): void {
    if (this.pid !== undefined) this.#child?.send({ leaseUntilMs: monotonicMs() + forMs }, () => undefined);
  }

  published(said: Published): void {
    if (this.pid !== undefined) this.#child?.send({ published: said }, () => undefined);
  }

  usage(): { cpuMicros: number; rssBytes: number } {
    return this.#usage;
  }

  async handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]> {
    if (request.method === "warmUp") {
      this.warmUp();
      return {} as AgentResults[R["method"]];
    }
    const starts =
      request.method === "createRoom" || request.method === "migrateIn" || request.method === "restoreRoom";
    if (!starts && request.method !== "standBy" && this.#host === undefined) {
      if (request.method === "endStandby") return {} as AgentResults[R["method"]];
      if (request.method === "migrationStatus")
        return { role: "none", epoch: 0 } as AgentResults[R["method"]];
      // Nothing has arrived here yet, and nothing will: whoever calls a move off must know that.
      if (request.method === "abortMigration") return { aborted: false } as AgentResults[R["method"]];
      throw new CentroidError("ROOM_NOT_FOUND", `room ${request.roomId} is not on this host`);
    }
    const host = await this.#roomHost();
    if (starts) this.#rooms.set(request.roomId, request.epoch);
    try {
      const result = await this.#ask(
        host,
        { request },
        UNBOUNDED.has(request.method) ? undefined : REPLY_TIMEOUT_MS,
      );
      if (request.method === "migrateOut" || request.method === "disposeRoom")
        this.#rooms.delete(request.roomId);
      if (request.method === "createRoom") this.#renamed(request, result as AgentResults["createRoom"]);
      return result as AgentResults[R["method"]];
    } catch (error) {
      if (starts) this.#rooms.delete(request.roomId);
      throw error;
    }
  }

  /** A room that chose an id of its own is known by that. */
  #renamed(
    { roomId, epoch }: { roomId: string; epoch: number },
    { roomId: own }: { roomId?: string | undefined },
  ): void {
    if (own === undefined || own === roomId) return;
    this.#rooms.delete(roomId);
    if (!this.#rooms.has(own)) this.#rooms.set(own, epoch);
  }

  #ask(
    host: RunningHost,
    question: { request: AgentRequest } | { reports: true },
    timeoutMs: number | undefined,
  ): Promise<unknown> {
    const what = "request" in question ? question.request.method : "reports";
    return host.pending.ask(
      (requestId, failed) =>
        host.child.send({ requestId, ...question }, (cause) => {
          if (cause !== null)
            failed(new CentroidError("HOST_LOST", "the room host process has ended", { cause }));
        }),
      timeoutMs === undefined
        ? undefined
        : {
            ms: timeoutMs,
            error: () =>
              new CentroidError("INTERNAL", `room host did not answer ${what} within ${timeoutMs} ms`),
          },
    );
  }

  #roomHost(): Promise<RunningHost> {
    if (this.#disposed) return Promise.reject(new CentroidError("HOST_LOST", "this agent is shutting down"));
    this.#host ??= this.#start();
    return this.#host;
  }

  #start(): Promise<RunningHost> {
    const {
      bindHost,
      advertiseHost,
      roomsBundle,
      checkpointIntervalMs,
      compareIntervalMs,
      maxFramesPerSecond,
      maxBytesPerSecond,
      hostId,
      trunkSecret,
    } = this.#options;
    const processId = `${hostId}-${this.#nextProcess++}`.replaceAll(/[^A-Za-z0-9_-]/g, "-");
    const child = fork(ROOM_HOST_MAIN, [], {
      env: {
        ...this.#options.environment,
        CENTROID_ROOM_HOST: JSON.stringify({
          bindHost,
          advertiseHost,
          processId,
          roomsBundle,
          checkpointIntervalMs,
          compareIntervalMs,
          maxFramesPerSecond,
          maxBytesPerSecond,
        }),
      },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    });
    this.#child = child;
    // Not in its environment, which any program of the same user can read. One that could not be started has no channel.
    if (trunkSecret !== undefined) child.send({ trunkSecret: trunkSecret(processId) }, () => undefined);
    const lastWords = readLastWords(child);
    const host: RunningHost = { child, pending: new PendingReplies() };
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
      child.on("message", (raw) => {
        heardAtMs = performance.now();
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
            resolve(host);
            return;
          case "failed":
            reject(new CentroidError("CONFIG_INVALID", `rooms do not load: ${message.message}`));
            return;
          case "notice":
            this.#options.events.notice(message.line);
            return;
          case "checkpoint": {
            const { roomId, epoch, seq, takenAtMs, bytes } = message;
            const data = Buffer.from(bytes).toString("base64");
            this.#options.events.checkpoint({ type: "checkpoint", roomId, epoch, seq, takenAtMs, data });
            return;
          }
          case "published":
            this.#options.events.published(message);
            return;
          case "asked":
            answerQuestion(child, message, this.#options.events.ask);
            return;
          case "usage":
            this.#usage = { cpuMicros: message.cpuMicros, rssBytes: message.rssBytes };
            return;
          case "room":
            if (message.change.event === "disposed") this.#rooms.delete(message.roomId);
            if (message.change.event === "owned") this.#rooms.set(message.roomId, message.epoch);
            this.#options.events.room(message.roomId, message.epoch, message.change);
            return;
          case "reply":
            host.pending.reply(message);
            return;
          default: {
            const never: never = message;
            throw new CentroidError("INTERNAL", JSON.stringify(never));
          }
        }
      });
      child.once("exit", (code, signal) => {
        clearInterval(watch);
        const error = new CentroidError(
          "HOST_LOST",
          `the room host process ended (${signal ?? `code ${code}`})`,
        );
        reject(error);
        void this.#ended(host, error, lastWords);
      });
    });
  }

  async #ended(
    host: RunningHost,
    error: CentroidError,
    lastWords: () => Promise<LastWords | undefined>,
  ): Promise<void> {
    this.#host = undefined;
    this.#usage = { cpuMicros: 0, rssBytes: 0 };
    host.pending.fail(error);
    const lost = [...this.#rooms];
    this.#rooms.clear();
    const words = await lastWords();
    if (this.#disposed) return;
    if (words !== undefined) this.#options.events.notice(`${error.message}: ${JSON.stringify(words)}`);
    for (const [roomId, epoch] of lost) {
      const blame = words?.roomId === roomId ? blameOf(words) : undefined;
      this.#options.events.room(roomId, epoch, {
        event: "lost",
        error: error.toWire(),
        ...(blame && { blame }),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const host = await this.#host?.catch(() => undefined);
    if (host !== undefined) await endChild(host.child, STOP_TIMEOUT_MS);
  }
}

/** Its own report of what went wrong before it ended; answers once that is known or nothing more will come. */
function readLastWords(child: ChildProcess): () => Promise<LastWords | undefined> {
  const pipe = child.stdio[LAST_WORDS_FD] as Readable | null | undefined;
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

function blameOf({ how, what, sessionId }: LastWords): {
  how: LastWords["how"];
  what: string;
  sessionId?: string;
} {
  return { how, what: what ?? "its code", ...(sessionId !== undefined && sessionId !== "" && { sessionId }) };
}
