/** The room host in one sandbox, asked over a line of text: what Node's IPC is to a forked one. */
import {
  type AgentRequest,
  CentroidError,
  type MeasureOrder,
  type Published,
  type RoomAnswer,
  roomEventSchema,
  type WireError,
} from "@centroid/protocol";
import { PendingReplies } from "@centroid/protocol/node";
import { lastWordsSchema } from "@centroid/room-host";
import { z } from "zod";
import { roomHostMessages } from "../carrier/room-host-messages.js";
import type { RoomHostLine } from "./sandboxes.js";

const fromSandboxSchema = z.discriminatedUnion("type", [
  ...roomHostMessages,
  z.object({
    type: z.literal("checkpoint"),
    epoch: z.number(),
    seq: z.number(),
    takenAtMs: z.number(),
    bytes: z.string(),
  }),
  z.object({ type: z.literal("room"), epoch: z.number(), change: roomEventSchema }),
  lastWordsSchema.extend({ type: z.literal("lastWords") }),
]);
type FromSandbox = z.infer<typeof fromSandboxSchema>;
export type SandboxMessage = Exclude<FromSandbox, { type: "reply" }>;

/** An emulated machine that has just arrived may need a second for its first answer. */
const ASK_AGAIN_MS = 2_000;

type Question = { request: AgentRequest } | { reports: true } | { saveNow: string };

export class SandboxedRoomHost implements Disposable {
  readonly #line: RoomHostLine;
  /** Random: replies to an agent from before a restart must not be taken for answers to this one. */
  readonly #pending = new PendingReplies(Math.floor(Math.random() * 2 ** 40));
  readonly #noun: string;
  #closed = false;

  constructor(
    line: RoomHostLine,
    noun: string,
    onMessage: (message: SandboxMessage) => void,
    onClosed: () => void,
  ) {
    this.#line = line;
    this.#noun = noun;
    line.onMessage = (text) => {
      // The sandbox may have moved in the middle of a line: half of one is nothing.
      const message = parse(text);
      if (message === undefined) return;
      if (message.type === "reply") this.#pending.reply(message);
      else onMessage(message);
    };
    line.onClosed = () => {
      if (this.#closed) return;
      this[Symbol.dispose]();
      onClosed();
    };
    // Whoever spoke before may have been cut off in the middle of a line.
    line.send("");
  }

  /** Asks again until it is answered or `timeoutMs` is over: a sandbox that moves loses what is on its line. */
  async askUntilAnswered(question: { reports: true }, timeoutMs: number): Promise<unknown> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      try {
        return await this.ask(question, ASK_AGAIN_MS);
      } catch (cause) {
        if (this.#closed || performance.now() >= until) throw cause;
      }
    }
  }

  /** @throws CentroidError as answered, or HOST_LOST when it does not answer. */
  ask(question: Question, timeoutMs: number): Promise<unknown> {
    const what = "request" in question ? question.request.method : Object.keys(question)[0];
    return this.#pending.ask((requestId) => this.#line.send(JSON.stringify({ requestId, ...question })), {
      ms: timeoutMs,
      error: () =>
        new CentroidError("HOST_LOST", `the room's ${this.#noun} did not answer ${what} in ${timeoutMs} ms`),
    });
  }

  checkpointed(roomId: string, epoch: number, seq: number): void {
    this.#line.send(JSON.stringify({ checkpointed: { roomId, epoch, seq } }));
  }

  unsaved(roomId: string, epoch: number, seq: number, error: WireError): void {
    this.#line.send(JSON.stringify({ unsaved: { roomId, epoch, seq, error } }));
  }

  measure(order: MeasureOrder): void {
    this.#line.send(JSON.stringify({ measure: order }));
  }

  published(said: Published): void {
    this.#line.send(JSON.stringify({ published: said }));
  }

  answered(answer: RoomAnswer): void {
    this.#line.send(JSON.stringify({ answered: answer }));
  }

  /** @param lapsed it was over before */
  renewLease(leaseMs: number, lapsed: boolean): void {
    this.#line.send(JSON.stringify({ leaseMs, lapsed }));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#line[Symbol.dispose]();
    this.#pending.fail(new CentroidError("HOST_LOST", `the line to the room's ${this.#noun} is closed`));
  }
}

function parse(line: string): FromSandbox | undefined {
  try {
    return fromSandboxSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
