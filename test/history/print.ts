/**
 * Violations for people: what is wrong, the events that prove it, what was done to the system around them, and where else
 * the room was built meanwhile: such a copy may have been its owner and done nothing.
 */
import type { HistoryEvent } from "./events.js";
import type { Violation } from "./violation.js";

/** A fault so long before the proof, or so shortly after it, may have to do with it. */
const BEFORE_MS = 8_000;
const AFTER_MS = 1_000;

/** @param events the whole history, from which the times count */
export function printViolation(
  { kind, text, where, evidence }: Violation,
  events: readonly HistoryEvent[],
): string {
  const startMs = events.reduce((min, { atMs }) => Math.min(min, atMs), Number.POSITIVE_INFINITY);
  const fromMs = Math.min(...evidence.map(({ atMs }) => atMs)) - BEFORE_MS;
  const toMs = Math.max(...evidence.map(({ atMs }) => atMs)) + AFTER_MS;
  const around = events.filter(
    (event) =>
      (event.type === "fault" ||
        (event.type === "thawed" && event.roomId === where && !evidence.includes(event))) &&
      event.atMs >= fromMs &&
      event.atMs <= toMs,
  );
  const lines = [...evidence, ...around]
    .sort((a, b) => a.atMs - b.atMs)
    .map((event) => `  ${((event.atMs - startMs) / 1000).toFixed(3).padStart(9)} s  ${describe(event)}`);
  return [`${kind}: ${text}`, ...lines].join("\n");
}

function describe(event: HistoryEvent): string {
  const by = (e: { life: string; epoch: number; host: number; position: number }): string =>
    `life ${e.life}, epoch ${e.epoch}, process ${e.host}, as number ${e.position}`;
  switch (event.type) {
    case "thawed":
      return `life ${event.life} begins in process ${event.host} from life ${event.from.life} as it was before number ${event.from.position} (step ${event.from.tick})`;
    case "heard":
      return `room heard ${event.number} of ${event.session}: ${by(event)}`;
    case "ticked":
      return `room took step ${event.tick}: ${by(event)}`;
    case "sent":
      return `${event.session} sent ${event.number}`;
    case "acknowledged":
      return `${event.session} was told that up to ${event.number} is safe`;
    case "got":
      return `${event.session} got step ${event.tick} of life ${event.life}`;
    case "reconnected":
      return `${event.session} made a new connection`;
    case "ended":
      return `${event.session} was ended with ${event.code}`;
    case "fault":
      return `fault: ${event.what} (${event.hosts.join(", ")})${event.untilMs === undefined ? "" : `, for ${Math.round(event.untilMs - event.atMs)} ms`}`;
    case "settled":
      return "everything had time to arrive";
    default: {
      const never: never = event;
      throw new Error(JSON.stringify(never));
    }
  }
}
