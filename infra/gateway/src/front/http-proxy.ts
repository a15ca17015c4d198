/**
 * Passes HTTP on to a broker, the same for every path, so that one origin is enough: API, matchmaking, pages. A broker
 * that is away for a moment, because it starts again, is waited for.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidError, GATEWAY_PSEUDONYM } from "@centroid/protocol";
import { endToEnd, HOP_BY_HOP, OF_ORIGIN } from "@centroid/protocol/node";

/** Options of a join and orders of operators are small. */
const MAX_BODY_BYTES = 256 * 1024;
/** A broker's restart takes less. */
const RETRY_FOR_MS = 6_000;
const RETRY_MS = 150;
/** Creating a room may take authors' code that long. */
const ANSWER_TIMEOUT_MS = 120_000;
/** They change nothing (RFC 9110, 9.2.1): they may be asked again when it is not known whether they were carried out. */
const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

/** What a broker answered; or it has not seen the request; or it may have, and does not answer. */
type Asked = IncomingMessage | "unreached" | "unanswered";

export interface HttpProxyOptions {
  gatewayId: string;
  /** `http(s)://host:port`; the next one is asked when one cannot be reached. */
  brokerUrls: readonly string[];
  addressOf: (request: IncomingMessage) => string;
  /** This gateway speaks TLS. */
  encrypted: boolean;
  signal: AbortSignal;
}

export class HttpProxy {
  readonly #options: HttpProxyOptions;
  #at = 0;

  constructor(options: HttpProxyOptions) {
    this.#options = options;
  }

  async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (body === undefined) {
      response.writeHead(413, { connection: "close" }).end();
      return;
    }
    const { brokerUrls, signal } = this.#options;
    const untilMs = performance.now() + RETRY_FOR_MS;
    for (;;) {
      for (let tried = 0; tried < brokerUrls.length; tried++) {
        const answered = await this.#ask(brokerUrls[this.#at % brokerUrls.length] ?? "", request, body);
        if (typeof answered !== "string") {
          response.writeHead(answered.statusCode ?? 502, endToEnd(answered.rawHeaders));
          answered.on("error", () => response.destroy());
          answered.pipe(response);
          return;
        }
        if (answered === "unanswered" && !mayRepeat(request)) {
          const message =
            "the broker has not answered, and may have done what it was asked; look before you ask again";
          refuse(response, 502, new CentroidError("NO_HOST", message));
          return;
        }
        this.#at++;
      }
      if (performance.now() > untilMs || signal.aborted || response.destroyed) break;
      await sleep(RETRY_MS);
    }
    refuse(response, 503, new CentroidError("NO_HOST", "no broker can be reached; try again shortly"));
  }

  #ask(brokerUrl: string, request: IncomingMessage, body: Buffer): Promise<Asked> {
    const { gatewayId, addressOf, encrypted } = this.#options;
    const send = brokerUrl.startsWith("https:") ? httpsRequest : httpRequest;
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && !OF_ORIGIN.has(name) && !HOP_BY_HOP.has(name)) headers[name] = value;
    headers["content-length"] = String(body.byteLength);
    if (body.byteLength === 0 && (request.method === "GET" || request.method === "HEAD"))
      delete headers["content-length"];
    headers["x-forwarded-for"] = addressOf(request);
    headers["x-forwarded-proto"] = encrypted ? "https" : "http";
    headers.via = `1.1 ${GATEWAY_PSEUDONYM} (${gatewayId})`;
    return new Promise((resolve) => {
      const asked = send(
        `${brokerUrl}${request.url ?? "/"}`,
        { method: request.method, headers, timeout: ANSWER_TIMEOUT_MS },
        resolve,
      );
      let connected = false;
      asked.on("socket", (socket) => {
        connected = !socket.connecting;
        // One that was used before does not connect again: it would keep each of its requests.
        if (!connected)
          socket.once("connect", () => {
            connected = true;
          });
      });
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => resolve(connected ? "unanswered" : "unreached"));
      asked.end(body);
    });
  }
}

/** A seat that was given twice is taken once, and expires. */
const mayRepeat = ({ method, url }: IncomingMessage): boolean =>
  SAFE_METHODS.has(method) || url?.startsWith("/matchmake/") === true;

function refuse(response: ServerResponse, status: number, error: CentroidError): void {
  response
    .writeHead(status, { "retry-after": "1", "content-type": "application/json" })
    .end(JSON.stringify({ error: error.toWire() }));
}

/** @returns undefined if it is too large */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).byteLength;
    if (bytes > MAX_BODY_BYTES) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
