/** The broker's one port: HTTP routes, API description, dashboard, and the two WebSocket endpoints. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CentroidError, GATEWAY_PATH } from "@centroid/protocol";
import { addressKey, requestTarget } from "@centroid/protocol/node";
import proxyAddr from "@fastify/proxy-addr";
import fastifyStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyInstance } from "fastify";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { WebSocketServer } from "ws";
import { LimitReached } from "../base/limits.js";
import type { Logger } from "../base/logger.js";
import type { RateLimiter } from "../base/rate-limit.js";
import { BROKER_PATH } from "../cluster/broker-links.js";
import type { AppProxy } from "../gateway/app-proxy.js";
import type { PlayerSockets } from "../gateway/player-sockets.js";
import { type ClientRoutesOptions, clientRoutes } from "./client-routes.js";
import { emulationRoutes } from "./emulation-routes.js";
import { type ApiCaller, callerOf, type Guard } from "./guard.js";
import { httpStatus, toCentroidError, withRetryAfter } from "./http-errors.js";
import type { Metrics } from "./metrics.js";
import { type OperatorRoutesOptions, operatorRoutes } from "./operator-routes.js";
import { pagePolicy } from "./page-policy.js";

/** A head, and a whole request, that has not come by then is not waited for. */
const HEAD_TIMEOUT_MS = 8_000;
const BODY_TIMEOUT_MS = 15_000;
const TIMEOUT_CHECK_MS = 2_000;
const REFUSAL_DELAY_MS = 250;
/** Whoever watches over this broker must hear from it even if others at the same address ask too much. */
const UNLIMITED_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

export interface HttpServerOptions {
  client: ClientRoutesOptions;
  operator: OperatorRoutesOptions;
  guard: Guard;
  /** Requests of one address. */
  limiter: RateLimiter;
  /** Whether whoever asks from this address is believed whom it asks for. */
  trustProxy: (address: string, hop: number) => boolean;
  metrics: Metrics;
  logger: Logger;
  agents: WebSocketServer;
  /** Other brokers of this deployment. */
  brokers: WebSocketServer;
  events: WebSocketServer;
  /** The gateway on this port, if there is one. */
  gateway: PlayerSockets | undefined;
  /** Gateways in processes of their own. */
  gateways: WebSocketServer;
  /** Answers what is nobody's here. */
  app: AppProxy | undefined;
  dashboardDir: string | undefined;
  playDir: string | undefined;
  pagesDir: string | undefined;
  emulationUrl: string | undefined;
  /** Why the broker cannot serve joins just now, if it cannot. */
  notReady: () => string | undefined;
  /** What it cannot do just now although it serves joins. */
  degraded: () => string | undefined;
}

/** Builds the server; it does not listen yet. */
export async function httpServer(o: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 128 },
    rewriteUrl: ({ url = "/" }) => (o.app === undefined ? url : withoutPrefix(url)),
    requestTimeout: BODY_TIMEOUT_MS,
    http: { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    trustProxy: o.trustProxy,
  });
  // First of all: whoever asks too much is not worth looking at.
  app.addHook("onRequest", ({ ip, url, raw }, _reply, done) => {
    const admitted =
      UNLIMITED_PATHS.has(url) ||
      o.limiter.admit(addressKey(ip)) ||
      o.guard.roleOf(callerOf(raw)) !== undefined;
    if (admitted) done();
    else done(new LimitReached("too many requests from this address; slow down", 1));
  });
  // Who asks as fast as it is answered is answered slowly: refusals cost others' time too.
  app.addHook("onSend", (_request, { statusCode }, _payload, done) => {
    if (statusCode === httpStatus("RATE_LIMITED")) o.client.clock.after(REFUSAL_DELAY_MS, () => done());
    else done();
  });
  const { app: project } = o;
  if (project !== undefined)
    app.addHook("onRequest", async (request, reply) => {
      // The players' routes refuse every other preflight; a project answers its own.
      if (!request.is404 && request.routeOptions.url !== "*") return;
      reply.hijack();
      const { raw, ip, protocol } = request;
      project.pass(raw, reply.raw, { address: ip, scheme: protocol });
    });
  pagePolicy(app, o.pagesDir);
  app.setValidatorCompiler((route) => {
    const validate = validatorCompiler(route as never);
    return (data) => {
      try {
        return validate(data);
      } catch {
        return { error: new CentroidError("BAD_REQUEST", "a value that cannot be read") };
      }
    };
  });
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((cause, _request, reply) => {
    const error = toCentroidError(cause as Error);
    if (error.code === "INTERNAL") o.logger.error({ cause }, "request failed");
    return withRetryAfter(reply, error)
      .code(httpStatus(error.code))
      .header("content-type", "application/json")
      .serializer(JSON.stringify)
      .send({ error: error.toWire() });
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: { code: "NOT_FOUND", message: `nothing at ${request.method} ${request.url}` } }),
  );

  await app.register(swagger, {
    openapi: {
      info: { title: "Centroid control API", version: "1", description: "Hosts, rooms and their moves." },
      components: { securitySchemes: { adminToken: { type: "http", scheme: "bearer" } } },
    },
    transform: jsonSchemaTransform,
  });
  // Everything the page needs comes from here; the policy forbids anything else.
  await app.register(swaggerUi, { routePrefix: "/docs", staticCSP: true, uiConfig: { validatorUrl: null } });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());

  app.get("/healthz", { schema: { hide: true } }, async () => ({ ok: true }));
  app.get("/readyz", { schema: { hide: true } }, async (_request, reply) => {
    const reason = o.notReady();
    const degraded = o.degraded();
    if (reason === undefined) return { ready: true, ...(degraded !== undefined && { degraded }) };
    return reply.code(503).send({ ready: false, reason });
  });
  app.get("/metrics", { schema: { hide: true } }, async (request, reply) => {
    o.guard.read(callerOf(request.raw));
    return reply.header("content-type", o.metrics.registry.contentType).send(await o.metrics.read());
  });

  await app.register(async (scope) => operatorRoutes(scope, o.operator));
  await app.register(async (scope) => clientRoutes(scope, o.client));
  const { emulationUrl } = o;
  if (emulationUrl !== undefined) await app.register(async (scope) => emulationRoutes(scope, emulationUrl));
  const pages = [o.dashboardDir, o.pagesDir].filter((dir) => dir !== undefined);
  const prefix = project === undefined ? "/" : DASHBOARD;
  if (project !== undefined)
    app.get(DASHBOARD.slice(0, -1), { schema: { hide: true } }, async (_request, reply) =>
      reply.redirect(DASHBOARD),
    );
  if (pages.length > 0) await app.register(fastifyStatic, { root: pages, prefix });
  if (o.playDir !== undefined) {
    await app.register(fastifyStatic, {
      root: o.playDir,
      prefix: "/play/",
      decorateReply: pages.length === 0,
    });
  }

  app.server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    try {
      upgrade(o, request, socket, head);
    } catch (cause) {
      o.logger.error({ cause }, "a connection was closed after an error");
      socket.destroy();
    }
  });
  return app;
}

/** Where operators find it if the root is a project's. */
const DASHBOARD = "/dashboard/";

/** A dashboard that is not at the root asks for everything where it is. */
const withoutPrefix = (url: string): string =>
  /^\/dashboard\/(api\/v1\/|events(\?|$))/.test(url) ? url.slice(DASHBOARD.length - 1) : url;

function upgrade(o: HttpServerOptions, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { path } = requestTarget(o.app === undefined ? request.url : withoutPrefix(request.url ?? "/"));
  const accept = (wss: WebSocketServer): void =>
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit("connection", ws, request));
  const may = (check: (caller: ApiCaller) => unknown): boolean => {
    try {
      check(callerOf(request));
      return true;
    } catch (cause) {
      refuse(socket, "401 Unauthorized", CentroidError.from(cause));
      return false;
    }
  };
  switch (path) {
    case "/agent":
      accept(o.agents);
      return;
    case GATEWAY_PATH:
      accept(o.gateways);
      return;
    case BROKER_PATH:
      if (may((caller) => o.guard.admin(caller))) accept(o.brokers);
      return;
    case "/events":
      if (may((caller) => o.guard.read(caller))) accept(o.events);
      return;
    default:
      toRoom(o, request, socket, head);
  }
}

/** Players' own sockets. */
function toRoom(o: HttpServerOptions, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const tooMany = (message: string): void =>
    refuse(socket, "429 Too Many Requests", new LimitReached(message, 1));
  if (!o.limiter.admit(addressKey(proxyAddr(request, o.trustProxy)))) {
    tooMany("too many requests from this address; slow down");
    return;
  }
  switch (o.gateway?.accept(request, socket, head)) {
    case "taken":
      return;
    case "too-many":
      tooMany("too many connections from this address");
      return;
    case undefined:
    case "not-mine":
      refuse(socket, "404 Not Found", new CentroidError("NOT_FOUND", "no WebSocket at this path"));
  }
}

function refuse(socket: Duplex, status: string, error: CentroidError): void {
  const body = JSON.stringify({ error: error.toWire() });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
