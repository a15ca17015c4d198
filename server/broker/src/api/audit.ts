/**
 * The audit log: every order to this broker is on record before it is carried out, and what became of it before its
 * caller has the answer. An order that cannot be recorded is refused.
 */
import { type AuditAction, type AuditEntry, CentroidError, OPERATOR_HEADER } from "@centroid/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import { RateLimiter } from "../base/rate-limit.js";
import type { Store } from "../store/store.js";
import { callerOf, type Guard } from "./guard.js";
import { toCentroidError } from "./http-errors.js";

/** Longer bodies are test messages; that they were sent is what counts. */
const MAX_DETAILS_CHARS = 2_000;
const MAX_NAME_CHARS = 64;
/** Orders without a known token on record, per address: enough to see an attack, too few to push the rest out. */
const UNKNOWN_CALLERS = { perSecond: 1 / 60, burst: 10 };

declare module "fastify" {
  interface FastifyRequest {
    audit: {
      startedAtMs: number;
      name: string | undefined;
      error: CentroidError | undefined;
      begun: AuditEntry | undefined;
    };
  }
}

export interface AuditOptions {
  brokerId: string;
  store: Store;
  guard: Guard;
  clock: Clock;
  logger: Logger;
  newId: NewId;
}

/** Records every call of a route that is an order, in this scope and below. */
export function auditOrders(app: FastifyInstance, o: AuditOptions): void {
  const unknownCallers = new RateLimiter(UNKNOWN_CALLERS, o.clock);
  app.decorateRequest("audit");
  app.addHook("onRequest", async (request) => {
    const startedAtMs = o.clock.now();
    request.audit = { startedAtMs, name: undefined, error: undefined, begun: undefined };
    if (actionOf(request) !== undefined) request.audit.name = nameOf(request.headers[OPERATOR_HEADER]);
  });
  app.addHook("preHandler", async (request) => {
    const action = actionOf(request);
    if (action === undefined) return;
    const begun: AuditEntry = { ...entryOf(o, request, action), outcome: "begun" };
    await o.store.appendAudit(begun);
    request.audit.begun = begun;
  });
  app.addHook("onError", async (request, _reply, cause) => {
    request.audit.error = toCentroidError(cause);
  });
  app.addHook("onSend", async (request) => {
    const action = actionOf(request);
    if (action === undefined) return;
    const { begun } = request.audit;
    const entry = { ...entryOf(o, request, action), ...(begun && { auditId: begun.auditId }) };
    if (entry.who.role === "none" && !unknownCallers.admit(entry.who.address)) return;
    o.logger.info({ audit: true, ...entry }, "operator");
    await o.store
      .appendAudit(entry, begun)
      .catch((cause: unknown) => o.logger.error({ cause, auditId: entry.auditId }, "audit entry not stored"));
  });
}

const actionOf = (request: FastifyRequest): AuditAction | undefined =>
  request.routeOptions.config.route?.audit;

function entryOf(o: AuditOptions, request: FastifyRequest, action: AuditAction): AuditEntry {
  const { params, body } = request;
  const { startedAtMs, name, error } = request.audit;
  const { roomId, hostId, sessionId } = params as Partial<Record<"roomId" | "hostId" | "sessionId", string>>;
  const details = JSON.stringify(body ?? null);
  return {
    auditId: o.newId(),
    atMs: startedAtMs,
    brokerId: o.brokerId,
    who: {
      role: o.guard.roleOf(callerOf(request.raw)) ?? "none",
      address: request.ip,
      ...(name !== undefined && { name }),
    },
    action,
    ...(roomId !== undefined && { roomId }),
    ...(hostId !== undefined && { hostId }),
    ...(sessionId !== undefined && { sessionId }),
    ...(body !== undefined &&
      details !== "{}" && {
        details: details.length <= MAX_DETAILS_CHARS ? body : `${details.length} characters, not kept`,
      }),
    ...(error === undefined
      ? { outcome: "done" }
      : { outcome: outcomeOf(error), code: error.code, message: error.message }),
    tookMs: Math.max(0, o.clock.now() - startedAtMs),
  };
}

/** Refused: nothing was tried. */
function outcomeOf({ code }: CentroidError): "refused" | "failed" {
  return code === "UNAUTHORIZED" || code === "FORBIDDEN" || code === "BAD_REQUEST" ? "refused" : "failed";
}

function nameOf(header: string | string[] | undefined): string | undefined {
  if (typeof header !== "string" || header === "") return undefined;
  try {
    return decodeURIComponent(header).slice(0, MAX_NAME_CHARS);
  } catch {
    throw new CentroidError("BAD_REQUEST", `header ${OPERATOR_HEADER} must be URI-encoded`);
  }
}
