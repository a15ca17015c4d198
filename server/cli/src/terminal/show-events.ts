/**
 * Prints what happens in a broker of this process, until it is to stop. Events are asked for here and not over the
 * broker's socket, and only those that a line may come of: joins and round trips of players are most of all events.
 */
import type { Broker } from "@centroid/broker";
import { type BrokerEvent, printableValues } from "@centroid/protocol";
import { EventLines } from "./event-lines.js";
import { json, print } from "./output.js";

/** @param asJson every event as a line of JSON; otherwise what a person wants to read */
export async function showEvents(broker: Broker, asJson: boolean, stop: AbortSignal): Promise<void> {
  const lines = new EventLines();
  // A pipe is written to synchronously: what one turn brings is written at once.
  let pending: string[] = [];
  const flush = (): void => {
    if (pending.length > 0) print(pending.join("\n"));
    pending = [];
  };
  const show = (event: BrokerEvent): void => {
    const line = asJson ? json(event) : lines.line(printableValues(event));
    if (line === undefined) return;
    pending.push(line);
    if (pending.length === 1) setImmediate(flush);
  };
  show(broker.events.snapshot());
  const wants = asJson ? undefined : lines.wants.bind(lines);
  const unsubscribe = broker.events.subscribe(show, wants);
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  unsubscribe();
  flush();
}
