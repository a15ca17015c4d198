/**
 * Entry point of a project's HTTP side: its routes, express hook, monitor and playground, in a process without rooms.
 * Its match maker sees the whole deployment. Forked by an agent; ends when its parent does.
 */
import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import {
  CentroidError,
  type Published,
  publishedSchema,
  type RoomQuestion,
  roomAnswerSchema,
} from "@centroid/protocol";
import { authority, PendingReplies } from "@centroid/protocol/node";
import { z } from "zod";
import type { ColyseusProject } from "../bundling/project-exports.js";
import type { RoomDefinition } from "../colyseus/seats.js";

const configSchema = z.object({ bindHost: z.string(), advertiseHost: z.string(), roomsBundle: z.string() });
const requestSchema = z.union([
  z.object({ published: publishedSchema }),
  z.object({ answered: roomAnswerSchema }),
]);
/** What the project's `onShutdown` may take; the agent waits a little longer. */
const SHUTDOWN_TIMEOUT_MS = 5_000;
/** A broker that makes a room on a slow host has answered by then. */
const QUESTION_TIMEOUT_MS = 30_000;

type ToAgent =
  | { type: "ready"; address: string }
  | { type: "notice"; line: string }
  | Published
  | { type: "asked"; requestId: number; question: RoomQuestion }
  | { type: "failed"; message: string };

const sendToParent = process.send?.bind(process);
function send(message: ToAgent): void {
  if (process.connected) sendToParent?.(message, undefined, undefined, () => undefined);
}

async function main(): Promise<void> {
  let stop = async (): Promise<void> => undefined;
  const end = (code: number): void => {
    setTimeout(() => process.exit(code), SHUTDOWN_TIMEOUT_MS).unref();
    void stop().finally(() => process.exit(code));
  };
  process.on("disconnect", () => end(0));
  // These reach the whole group, from a terminal or a service manager; the agent decides when this process ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  if (!process.connected) process.exit(0);
  const config = configSchema.parse(JSON.parse(process.env.CENTROID_APP_HOST ?? "{}"));
  const { WebSocket } = await import("ws");
  // Colyseus 0.18 reads the global when it loads.
  globalThis.WebSocket ??= WebSocket as never;
  // Colyseus takes it for how long another process may take to answer.
  process.env.COLYSEUS_PRESENCE_SHORT_TIMEOUT ??= String(QUESTION_TIMEOUT_MS + 1_000);
  const [colyseus, { HttpTransport }, { DEPLOYMENT, DeploymentDriver, DeploymentPresence }, { PresenceBus }] =
    await Promise.all([
      import("@colyseus/core"),
      import("./http-transport.js"),
      import("../colyseus/deployment-matchmaker.js"),
      import("../colyseus/room-presence.js"),
    ]);
  const { rooms, app } = (await import(pathToFileURL(config.roomsBundle).href)) as {
    rooms: Record<string, RoomDefinition>;
    app: ColyseusProject;
  };
  const bus = new PresenceBus((said) => send({ type: "published", ...said }), randomUUID());
  const questions = new PendingReplies();
  const deployment = {
    address: "",
    ask: (question: RoomQuestion): Promise<unknown> =>
      questions.ask((requestId) => send({ type: "asked", requestId, question }), {
        ms: QUESTION_TIMEOUT_MS,
        error: () => new CentroidError("HOST_LOST", "no broker has answered; try again shortly"),
      }),
  };
  process.on("message", (raw) => {
    const message = requestSchema.parse(raw);
    if ("published" in message) bus.heard(message.published);
    else questions.reply(message.answered);
  });
  const crashed = (cause: unknown): void => {
    const { stack, message } = cause instanceof Error ? cause : new Error(String(cause));
    send({ type: "failed", message: stack ?? message });
    end(1);
  };
  process.on("uncaughtException", crashed);
  process.on("unhandledRejection", (reason) =>
    send({ type: "notice", line: `unhandled rejection in the project's server: ${String(reason)}` }),
  );
  colyseus.matchMaker.setHealthChecksEnabled(false);
  const transport = new HttpTransport(app.loadExpress);
  // The project's own was configured and never started; this one is it, started in this place.
  const server = new colyseus.Server({
    ...app.server.options,
    transport,
    presence: new DeploymentPresence(deployment, bus),
    driver: new DeploymentDriver(deployment),
    selectProcessIdToCreateRoom: async () => DEPLOYMENT,
    devMode: false,
    gracefullyShutdown: false,
    greet: false,
  });
  const { onShutdownCallback, onBeforeShutdownCallback } = app.server as unknown as ShutdownHooks;
  Object.assign(server, { onShutdownCallback, onBeforeShutdownCallback });
  server.router = app.server.router;
  colyseus.registerRoomDefinitions(rooms);
  stop = () => server.gracefullyShutdown(false);
  await server.listen(0, config.bindHost);
  const { port } = transport.server.address() as { port: number };
  send({ type: "ready", address: authority(config.advertiseHost, port) });
}

/** Where Colyseus keeps what `onShutdown()` and `onBeforeShutdown()` were given. */
interface ShutdownHooks {
  onShutdownCallback: () => unknown;
  onBeforeShutdownCallback: () => unknown;
}

main().catch((cause: unknown) => {
  send({ type: "failed", message: cause instanceof Error ? cause.message : String(cause) });
  process.exit(1);
});
