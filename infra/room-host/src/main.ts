/**
 * Entry point of a room host process. Forked by the agent's process carrier; speaks `AgentRequest` over IPC
 * and ends when its parent does.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import {
  type AgentToBroker,
  agentRequestSchema,
  CentroidError,
  measureOrderSchema,
  publishedSchema,
  type RoomQuestion,
  roomAnswerSchema,
  wireErrorSchema,
} from "@centroid/protocol";
import { authority, batched, MessageBatch, PendingReplies, unbatched } from "@centroid/protocol/node";
import { z } from "zod";
import type { Activity } from "./activity/activity.js";
import { followOpenHandles } from "./activity/open-handles.js";
import type { RoomResources } from "./activity/room-resources.js";
import { ROOM_TIMERS, roomTimers } from "./activity/room-timers.js";
import { watchThisProcess } from "./activity/watch.js";
import { watchOptionsSchema } from "./activity/watch-options.js";
import type { ColyseusProject } from "./bundling/project-exports.js";
import type { SavedRoom } from "./checkpoint/checkpointer.js";
import type { RoomDefinition } from "./colyseus/seats.js";
import { DEFAULT_COMPARE_INTERVAL_MS } from "./compare/interval.js";
import { Lease } from "./lease.js";
import { monotonicMs } from "./monotonic.js";
import { mayWaitMs, ROUTINE_MS } from "./news.js";
import { withoutProcessManager } from "./no-process-manager.js";
import type { RoomHost } from "./room-host.js";

const configSchema = z.object({
  bindHost: z.string(),
  advertiseHost: z.string(),
  processId: z.string(),
  roomsBundle: z.string(),
  /** In a sandbox: the folder with copies of the files of rooms' workers. */
  workerFiles: z.string().optional(),
  /** How often a changing room is saved; 0 is never. */
  checkpointIntervalMs: z.number().nonnegative(),
  /** How often players' copies of a state are compared with the room's; 0 is never. */
  compareIntervalMs: z.number().nonnegative().default(DEFAULT_COMPARE_INTERVAL_MS),
  /** Of one player; 0 is no limit. */
  maxFramesPerSecond: z.number().nonnegative(),
  maxBytesPerSecond: z.number().nonnegative(),
  watch: watchOptionsSchema.prefault({}),
});
const requestSchema = z.union([
  z.object({ trunkSecret: z.string() }),
  z.object({ leaseMs: z.number().positive(), lapsed: z.boolean().default(true) }),
  z.object({ leaseUntilMs: z.number(), lapsed: z.boolean().default(true) }),
  z.object({ published: publishedSchema }),
  z.object({ checkpointed: z.object({ roomId: z.string(), epoch: z.number(), seq: z.number() }) }),
  z.object({
    unsaved: z.object({ roomId: z.string(), epoch: z.number(), seq: z.number(), error: wireErrorSchema }),
  }),
  z.object({ measure: measureOrderSchema }),
  z.object({ requestId: z.number(), request: agentRequestSchema }),
  z.object({ answered: roomAnswerSchema }),
  z.object({ requestId: z.number(), reports: z.literal(true) }),
  z.object({ requestId: z.number(), saveNow: z.string() }),
]);
/** What `onDispose` may take when this process ends; its agent waits a little longer. */
const DISPOSE_TIMEOUT_MS = 5_000;
/** How often the agent hears what this process uses. */
const USAGE_INTERVAL_MS = 1_000;
/** How often players hear that this process is there; three missing in a row are what they notice. */
const ALIVE_INTERVAL_MS = 500;

/** A broker that makes a room on a slow host has answered by then. */
const QUESTION_TIMEOUT_MS = 30_000;

/** Seats that nobody takes cost little; there are only many of them over time. */
const SEAT_SWEEP_MS = 10_000;

type ToAgent =
  | { type: "checkpoint"; roomId: string; epoch: number; seq: number; takenAtMs: number; bytes: Uint8Array }
  | { type: "ready"; address: string; transport: "uws" | "ws"; roomTypes: string[] }
  | { type: "notice"; line: string }
  | { type: "asked"; requestId: number; question: RoomQuestion }
  | { type: "usage"; cpuMicros: number; rssBytes: number }
  | Extract<AgentToBroker, { type: "reply" | "room" | "published" }>
  | { type: "failed"; message: string };

function newOutbox(): MessageBatch<ToAgent> {
  return new MessageBatch((messages) => {
    if (process.connected) process.send?.(batched(messages), undefined, undefined, () => undefined);
  });
}

/** The agent lets go or has died: nothing runs on here, but what an author saves in `onDispose` is saved. */
async function end(host: RoomHost | undefined): Promise<void> {
  host?.pause();
  setTimeout(() => process.exit(0), DISPOSE_TIMEOUT_MS).unref();
  await host?.disposals();
  process.exit(0);
}

async function main(outbox: MessageBatch<ToAgent>): Promise<void> {
  const send = (message: ToAgent, withinMs = 0): void => outbox.send(message, withinMs);
  let host: RoomHost | undefined;
  let activity: Activity | undefined;
  process.on("disconnect", () => void end(host));
  // These reach the whole group, from a terminal or a service manager; the agent decides when this process ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  // The parent may have gone while this module was loading; nobody will tell that again.
  if (!process.connected) process.exit(0);
  const config = configSchema.parse(JSON.parse(process.env.CENTROID_ROOM_HOST ?? "{}"));
  withoutProcessManager();
  // Colyseus 0.18 reads the global when it loads; without it every reconnection on Node 20 fails.
  const { WebSocket } = await import("ws");
  globalThis.WebSocket ??= WebSocket as never;
  // Colyseus takes it for how long another process may take to answer; a room elsewhere may have to be moved first.
  process.env.COLYSEUS_PRESENCE_SHORT_TIMEOUT ??= String(QUESTION_TIMEOUT_MS + 1_000);
  const [{ RoomTypes, prepareServices }, { PresenceBus }, roomHost, { listenForPlayers }] = await Promise.all(
    [
      import("./colyseus/seats.js"),
      import("./colyseus/room-presence.js"),
      import("./room-host.js"),
      import("./connections/transport.js"),
    ],
  );
  const ownerOf = (): RoomResources | undefined => activity?.owner;
  Object.defineProperty(globalThis, Symbol.for(ROOM_TIMERS), { value: roomTimers(ownerOf) });
  followOpenHandles(ownerOf);
  const bundle = (await import(pathToFileURL(config.roomsBundle).href)) as {
    rooms: Record<string, RoomDefinition>;
    app?: ColyseusProject;
  };
  const notice = (line: string): void => send({ type: "notice", line });
  const bus = new PresenceBus((said) => send({ type: "published", ...said }), randomUUID());
  const transport = await listenForPlayers(
    config.bindHost,
    (connection) => host?.accept(connection),
    (line) => send({ type: "notice", line }),
  );
  const address = authority(config.advertiseHost, transport.port);
  const questions = new PendingReplies();
  const ask = (question: RoomQuestion): Promise<unknown> =>
    questions.ask((requestId) => send({ type: "asked", requestId, question }), {
      ms: QUESTION_TIMEOUT_MS,
      error: () => new CentroidError("HOST_LOST", "no broker has answered; try again shortly"),
    });
  // As in every process of a Colyseus deployment: rooms may need what it connects to.
  if (bundle.app !== undefined) await prepareServices(bundle.app.server);
  activity = watchThisProcess(config.watch, notice);
  const types = await RoomTypes.define(bundle.rooms, bus, activity, { address, ask }, config.workerFiles);
  host = new roomHost.RoomHost({
    processId: config.processId,
    address,
    types,
    newTicket: () => randomBytes(24).toString("base64url"),
    emit: (roomId, epoch, change, isRoutine) =>
      send({ type: "room", roomId, epoch, change }, mayWaitMs(change, isRoutine)),
    ...(config.checkpointIntervalMs > 0 && {
      checkpoints: {
        intervalMs: config.checkpointIntervalMs,
        save: (roomId: string, epoch: number, saved: SavedRoom, withinMs: number) =>
          send({ type: "checkpoint", roomId, epoch, ...saved }, withinMs),
      },
    }),
    compareIntervalMs: config.compareIntervalMs,
    maxFramesPerSecond: config.maxFramesPerSecond,
    maxBytesPerSecond: config.maxBytesPerSecond,
    notice: (line) => send({ type: "notice", line }),
    mayRun: () => lease.holds(),
    now: () => performance.timeOrigin + performance.now(),
  });
  const rooms = host;
  const lease: Lease = new Lease({
    onExpired: () => rooms.pause(),
    onLapsed: () => rooms.callOffBuilds(),
    onRenewed: () => rooms.goOn(),
  });
  const receive = (raw: unknown): void => {
    const message = requestSchema.parse(raw);
    if ("trunkSecret" in message) {
      rooms.trunkSecret = message.trunkSecret;
      return;
    }
    if ("leaseMs" in message) {
      lease.renew(monotonicMs() + message.leaseMs, message.lapsed);
      return;
    }
    if ("leaseUntilMs" in message) {
      lease.renew(message.leaseUntilMs, message.lapsed);
      return;
    }
    if ("published" in message) {
      bus.heard(message.published);
      return;
    }
    if ("answered" in message) {
      questions.reply(message.answered);
      return;
    }
    if ("checkpointed" in message) {
      const { roomId, epoch, seq } = message.checkpointed;
      rooms.checkpointed(roomId, epoch, seq);
      return;
    }
    if ("unsaved" in message) {
      const { roomId, epoch, seq, error } = message.unsaved;
      rooms.unsaved(roomId, epoch, seq, CentroidError.fromWire(error));
      return;
    }
    if ("measure" in message) {
      rooms.measure(message.measure);
      return;
    }
    const { requestId } = message;
    if ("reports" in message) {
      send({ type: "reply", requestId, result: rooms.reports() });
      return;
    }
    const answer =
      "saveNow" in message ? rooms.saveNow(message.saveNow).then(() => ({})) : rooms.handle(message.request);
    answer.then(
      (result) => send({ type: "reply", requestId, result }),
      (cause: unknown) => send({ type: "reply", requestId, error: CentroidError.from(cause).toWire() }),
    );
  };
  process.on("message", (raw) => unbatched(raw).forEach(receive));
  // An author's stray error must not take every room of this process with it.
  process.on("uncaughtException", (error) =>
    send({ type: "notice", line: `uncaught in a room: ${error.stack ?? error.message}` }),
  );
  process.on("unhandledRejection", (reason) =>
    send({ type: "notice", line: `unhandled rejection in a room: ${String(reason)}` }),
  );
  setInterval(() => {
    const { user, system } = process.cpuUsage();
    send({ type: "usage", cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }, ROUTINE_MS);
  }, USAGE_INTERVAL_MS).unref();
  setInterval(() => rooms.keepAlive(), ALIVE_INTERVAL_MS).unref();
  setInterval(() => rooms.forgetUntakenSeats(), SEAT_SWEEP_MS).unref();
  send({ type: "ready", address, transport: transport.kind, roomTypes: types.names });
}

const outbox = newOutbox();
main(outbox).catch((cause: unknown) => {
  outbox.send({ type: "failed", message: cause instanceof Error ? cause.message : String(cause) });
  process.exit(1);
});
