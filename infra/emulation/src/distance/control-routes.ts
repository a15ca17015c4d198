/** The emulator's own HTTP routes, under `/control`: JSON in, JSON out. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { CentroidError, type ErrorCode, readWire } from "@centroid/protocol";
import type { z } from "zod";
import { type EmulatorStatus, setSiteSchema, targetSchema } from "./config.js";
import type { Distances } from "./distances.js";

const MAX_BODY_BYTES = 4 * 1024;
/** A body that small comes at once. */
const BODY_TIMEOUT_MS = 5_000;
/** A page from elsewhere can give our address a name of its own (DNS rebinding); then that name is what it asks for. */
const OWN_NAME = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

const STATUS: Partial<Record<ErrorCode, number>> = { NOT_FOUND: 404, BAD_REQUEST: 400, FORBIDDEN: 403 };

/** `GET /control`, `PUT /control/labels`, `PUT /control/targets`. */
export async function handleControl(
  distances: Distances,
  connections: () => number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (!OWN_NAME.test(request.headers.host ?? ""))
      throw new CentroidError("FORBIDDEN", "ask for this as 127.0.0.1 or localhost");
    const route = `${request.method} ${(request.url ?? "").split("?")[0]}`;
    switch (route) {
      case "GET /control": {
        const status: EmulatorStatus = { ...distances.status(), connections: connections() };
        return answer(response, 200, status);
      }
      case "PUT /control/labels": {
        const { label, siteId } = parse(setSiteSchema, await readJson(request));
        distances.setSite(label, siteId);
        return answer(response, 200, {});
      }
      case "PUT /control/targets": {
        const { hostId, port } = parse(targetSchema, await readJson(request));
        distances.addTarget(hostId, port);
        return answer(response, 200, {});
      }
      default:
        throw new CentroidError("NOT_FOUND", `no ${route}; expected /via/LABEL/HOST/PORT/... or /control`);
    }
  } catch (cause) {
    const error = CentroidError.from(cause);
    answer(response, STATUS[error.code] ?? 500, { error: error.message });
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  return readWire(schema, body, "BAD_REQUEST", "request");
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A web page cannot send this type to another origin without asking first, and is never allowed to.
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) {
    throw new CentroidError("BAD_REQUEST", "send content-type: application/json");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const late = setTimeout(() => request.destroy(), BODY_TIMEOUT_MS);
  request.once("close", () => clearTimeout(late));
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) {
      throw new CentroidError("BAD_REQUEST", `the body is larger than ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new CentroidError("BAD_REQUEST", "the body is not JSON");
  }
}
