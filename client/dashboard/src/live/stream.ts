/** The event stream from the broker: parsed at the edge, redialled for as long as the page is open. */
import { type BrokerEvent, eventSchema, tryRead } from "@centroid/protocol";

export type EventStream =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly attempts: number }
  /** Not a stream at all: the page plays a recording. */
  | { readonly kind: "recording" };

export interface StreamListener {
  onEvents(events: readonly BrokerEvent[]): void;
  onConnection(connection: EventStream): void;
  /** A frame that is no event: shown as a count, never guessed at. */
  onUnreadable(reason: string): void;
}

/** Text that changes faster cannot be read, and one render for many events keeps thousands of players cheap. */
const BATCH_MS = 100;
const FIRST_RETRY_MS = 250;
/** A restarted broker is back on the screen within this time. */
const MAX_RETRY_MS = 3_000;

const EVENTS_PROTOCOL = "centroid.events";
const TOKEN_PROTOCOL = "centroid.token.";

/** Browsers cannot set headers on a WebSocket, and what stands in a URL stands in logs: the token is a subprotocol. */
function protocols(token: string | undefined): string[] {
  if (token === undefined) return [EVENTS_PROTOCOL];
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const coded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return [EVENTS_PROTOCOL, `${TOKEN_PROTOCOL}${coded}`];
}

/** Follows the stream until the signal aborts; asks for its address and the token at every dial. */
export function followStream(
  url: () => string,
  token: () => string | undefined,
  listener: StreamListener,
  signal: AbortSignal,
): void {
  let attempts = 0;
  let pending: BrokerEvent[] = [];
  let flushTimer: number | undefined;
  let socket: WebSocket | undefined;

  const flush = () => {
    flushTimer = undefined;
    const events = pending;
    pending = [];
    listener.onEvents(events);
  };

  const receive = (frame: MessageEvent<unknown>) => {
    const parsed = parseEvent(frame.data);
    if ("reason" in parsed) {
      listener.onUnreadable(parsed.reason);
      return;
    }
    if (parsed.event.type === "snapshot") {
      attempts = 0;
      listener.onConnection({ kind: "live" });
    }
    pending.push(parsed.event);
    flushTimer ??= window.setTimeout(flush, BATCH_MS);
  };

  const dial = () => {
    if (signal.aborted) return;
    socket = new WebSocket(url(), protocols(token()));
    socket.addEventListener("message", receive);
    socket.addEventListener("close", () => {
      if (signal.aborted) return;
      attempts += 1;
      listener.onConnection({ kind: "lost", attempts });
      window.setTimeout(dial, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)));
    });
  };

  signal.addEventListener("abort", () => {
    window.clearTimeout(flushTimer);
    socket?.close();
  });
  dial();
}

function parseEvent(data: unknown): { event: BrokerEvent } | { reason: string } {
  if (typeof data !== "string") return { reason: "a frame that is not text" };
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return { reason: "a frame that is not JSON" };
  }
  const result = tryRead(eventSchema, json);
  if (result.success) return { event: result.data };
  const issue = result.error.issues[0];
  return { reason: issue ? `${issue.path.join(".")}: ${issue.message}` : "an unknown event" };
}
