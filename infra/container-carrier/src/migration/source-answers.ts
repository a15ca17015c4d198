/** What the source of a move waits to hear from its destination. */
import { CentroidError } from "@centroid/protocol";
import { type ImageWire, type ToSource, toSourceSchema } from "./image-wire.js";
import type { LaterPages } from "./later-pages.js";

/** The destination has made a place, or restored the room, by then; longer, and the broker asks it. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The destination does not have the room. */
export class Refused extends CentroidError {
  /** It ran there for a while. */
  readonly ran: boolean;

  constructor({ message, ran }: Extract<ToSource, { type: "refused" }>) {
    super("MIGRATION_FAILED", message);
    this.ran = ran;
  }
}

/** @throws Refused, or CentroidError */
export async function awaitAnswer(
  wire: ImageWire,
  wanted: "prepared" | "accepted",
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const said = await wire.receive(toSourceSchema, AbortSignal.any([signal, late]));
  if (said.type !== wanted) throw unexpected(said);
}

/**
 * Sends what follows, to a destination that has what it takes to run the room, until that has accepted it.
 * @param onRunning called when the room runs there
 * @throws Refused, or CentroidError
 */
export async function sendWhileItRuns(
  wire: ImageWire,
  later: LaterPages,
  signal: AbortSignal,
  onRunning: () => void,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let timeout: NodeJS.Timeout | undefined;
  const sending = later.send(wire, either).then(() => {
    wire.send({ type: "all" });
    timeout = setTimeout(() => stop.abort(new CentroidError("HOST_LOST", "no answer")), ANSWER_TIMEOUT_MS);
  });
  // What the destination says of it comes first.
  sending.catch((cause: unknown) => stop.abort(cause));
  try {
    for (;;) {
      const said = await wire.receive(toSourceSchema, either);
      if (said.type === "wanted") later.want(said.pid, said.at);
      else if (said.type === "running") onRunning();
      else if (said.type === "accepted") return;
      else throw unexpected(said);
    }
  } finally {
    clearTimeout(timeout);
    stop.abort();
  }
}

const unexpected = (said: ToSource): CentroidError =>
  said.type === "refused"
    ? new Refused(said)
    : new CentroidError("MIGRATION_FAILED", `the other host answered ${said.type}`);
