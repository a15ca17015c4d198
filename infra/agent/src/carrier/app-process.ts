/**
 * The HTTP side of a Colyseus project beside the rooms of this host: forked when the agent starts, and again when it has
 * ended. Brokers are told where it is and pass on what they do not answer themselves.
 */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidError, type Published, publishedSchema, roomAskedSchema, tryRead } from "@centroid/protocol";
import { endChild } from "@centroid/protocol/node";
import { APP_MAIN } from "@centroid/room-host";
import { z } from "zod";
import { answerQuestion } from "./answer-question.js";
import type { CarrierEvents } from "./carrier.js";

export interface AppProcessOptions {
  bindHost: string;
  advertiseHost: string;
  roomsBundle: string;
  /** All that the project finds in its environment. */
  environment: Record<string, string>;
  events: Pick<CarrierEvents, "published" | "ask" | "notice">;
}

const fromAppSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), address: z.string() }),
  z.object({ type: z.literal("notice"), line: z.string() }),
  z.object({ type: z.literal("failed"), message: z.string() }),
  publishedSchema,
  roomAskedSchema,
]);

/** Its hooks connect to whatever it needs; what takes longer hangs. */
const START_TIMEOUT_MS = 60_000;
/** One that has not ended by then is killed; its `onShutdown` has most of it. */
const STOP_TIMEOUT_MS = 6_000;
const FIRST_RESTART_MS = 500;
const MAX_RESTART_MS = 30_000;

export class AppProcess implements AsyncDisposable {
  readonly #options: AppProcessOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #address: string | undefined;

  constructor(options: AppProcessOptions) {
    this.#options = options;
  }

  /** Where it answers; nothing while it does not run. */
  get address(): string | undefined {
    return this.#address;
  }

  published(said: Published): void {
    if (this.#child?.connected === true) this.#child.send({ published: said }, () => undefined);
  }

  /** Resolves when it answers. @throws CentroidError CONFIG_INVALID if its code fails */
  async start(): Promise<void> {
    const { bindHost, advertiseHost, roomsBundle, environment } = this.#options;
    const child = fork(APP_MAIN, [], {
      env: { ...environment, CENTROID_APP_HOST: JSON.stringify({ bindHost, advertiseHost, roomsBundle }) },
      execArgv: ["--enable-source-maps"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    let failure = "";
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
      child.on("message", (raw) => {
        const parsed = tryRead(fromAppSchema, raw);
        // A project may have something to say to a process manager.
        if (!parsed.success) return;
        const message = parsed.data;
        switch (message.type) {
          case "ready":
            clearTimeout(timer);
            this.#address = message.address;
            resolve();
            return;
          case "notice":
            this.#options.events.notice(message.line);
            return;
          case "failed":
            failure = message.message;
            return;
          case "published":
            this.#options.events.published(message);
            return;
          case "asked":
            answerQuestion(child, message, this.#options.events.ask);
            return;
          default: {
            const never: never = message;
            throw new CentroidError("INTERNAL", JSON.stringify(never));
          }
        }
      });
      const over = (ended: string): void => {
        clearTimeout(timer);
        const how = failure === "" ? ended : failure;
        const wasUp = this.#address !== undefined;
        this.#address = undefined;
        if (this.#stopping.signal.aborted) return;
        reject(new CentroidError("CONFIG_INVALID", `the project's server does not start: ${how}`));
        if (!wasUp) return;
        this.#options.events.notice(`the project's server has ended and is started again: ${how}`);
        void this.#restart();
      };
      child.once("exit", (code, signal) => over(`it ended (${signal ?? `code ${code}`})`));
      // Of a machine that has no process left to give: nothing was started, so nothing will exit.
      child.on("error", ({ message }) => {
        if (child.pid === undefined) over(message);
      });
    });
  }

  async #restart(): Promise<void> {
    const { signal } = this.#stopping;
    for (let delayMs = FIRST_RESTART_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, MAX_RESTART_MS)) {
      try {
        await sleep(delayMs, undefined, { signal, ref: false });
        await this.start();
        return;
      } catch (cause) {
        if (!signal.aborted) this.#options.events.notice(CentroidError.from(cause).message);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    if (this.#child !== undefined) await endChild(this.#child, STOP_TIMEOUT_MS);
  }
}
