/** The room host in one VM, asked over the machine's serial line: what Node's IPC is to a forked one. */

import { roomHostMessages } from "@centroid/agent";
import {
  type AgentRequest,
  CentroidError,
  type Published,
  type RoomAnswer,
  roomEventSchema,
} from "@centroid/protocol";
import { PendingReplies } from "@centroid/protocol/node";
import { z } from "zod";
import type { ControlChannel } from "./control-channel.js";

const fromGuestSchema = z.discriminatedUnion("type", [
  ...roomHostMessages,
  z.object({
    type: z.literal("checkpoint"),
    epoch: z.number(),
    seq: z.number(),
    takenAtMs: z.number(),
    bytes: z.string(),
  }),
  z.object({ type: z.literal("room"), epoch: z.number(), change: roomEventSchema }),
]);
type FromGuest = z.infer<typeof fromGuestSchema>;
export type ToldByGuest = Exclude<FromGuest, { type: "reply" }>;

/** An emulated guest that has just arrived may need a second for its first words. */
const ASK_AGAIN_MS = 2_000;

type Question = { request: AgentRequest } | { reports: true } | { saveNow: string };

export class RoomGuest implements Disposable {
  readonly #channel: ControlChannel;
  /** Of an agent from before a restart, replies must not be taken for answers to this one's. */
  readonly #pending = new PendingReplies(Math.floor(Math.random() * 2 ** 40));
  #closed = false;

  constructor(channel: ControlChannel, onTold: (message: ToldByGuest) => void, onClosed: () => void) {
    this.#channel = channel;
    channel.onMessage = (line) => {
      // The guest may have moved in the middle of a line: half of one is nothing.
      const message = parse(line);
      if (message === undefined) return;
      if (message.type === "reply") this.#pending.reply(message);
      else onTold(message);
    };
    channel.onClosed = () => {
      if (this.#closed) return;
      this[Symbol.dispose]();
      onClosed();
    };
    // Whoever spoke before may have been cut off in the middle of a line.
    channel.send("");
  }

  /** Asks again until it is answered or `timeoutMs` is over: a machine that moves loses what is on its line. */
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
    return this.#pending.ask((requestId) => this.#channel.send(JSON.stringify({ requestId, ...question })), {
      ms: timeoutMs,
      error: () => new CentroidError("HOST_LOST", `the room's VM did not answer ${what} in ${timeoutMs} ms`),
    });
  }

  checkpointed(roomId: string, epoch: number, seq: number): void {
    this.#channel.send(JSON.stringify({ checkpointed: { roomId, epoch, seq } }));
  }

  published(said: Published): void {
    this.#channel.send(JSON.stringify({ published: said }));
  }

  answered(answer: RoomAnswer): void {
    this.#channel.send(JSON.stringify({ answered: answer }));
  }

  renewLease(leaseMs: number): void {
    this.#channel.send(JSON.stringify({ leaseMs }));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#channel[Symbol.dispose]();
    this.#pending.fail(new CentroidError("HOST_LOST", "the line to the room's VM is closed"));
  }
}

function parse(line: string): FromGuest | undefined {
  try {
    return fromGuestSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
