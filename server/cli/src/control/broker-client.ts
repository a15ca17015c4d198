/** The CLI's side of the control API: finds broker and token, calls its routes, follows its events. */
import { readFile } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import {
  type ApiRoute,
  type BrokerEvent,
  BrokerUnreachableError,
  CentroidError,
  callRoute,
  eventSchema,
  OPERATOR_HEADER,
  type RouteAnswer,
  type RouteInput,
} from "@centroid/protocol";
import type { Command } from "commander";
import { WebSocket } from "ws";
import { z } from "zod";
import { loadConfig } from "../config/config.js";
import { adminTokenPath } from "../deployment/state-dir.js";

const DEFAULT_BROKER = "http://127.0.0.1:2567";

export interface BrokerFlags {
  broker?: string;
  token?: string;
  json?: boolean;
}

/** The flags every command that talks to a broker has. */
export function withBroker(command: Command): Command {
  return command
    .option("--broker <url>", `URL of the broker (CENTROID_BROKER; default ${DEFAULT_BROKER})`)
    .option("--token <token>", "admin token (CENTROID_TOKEN; default: the one saved on this machine)")
    .option("--json", "machine-readable output");
}

/** Who the audit log says gave an order: the account on this machine. */
function operatorName(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // An account without an entry in the system's list, as in some containers.
    return hostname();
  }
}

export class BrokerClient {
  readonly url: string;
  readonly #flags: BrokerFlags;

  constructor(flags: BrokerFlags) {
    this.#flags = flags;
    this.url = (flags.broker ?? process.env.CENTROID_BROKER ?? DEFAULT_BROKER).replace(/\/$/, "");
  }

  /** @throws CentroidError what the broker says; NO_HOST if it cannot be reached */
  async call<R extends ApiRoute>(route: R, input: RouteInput<R>): Promise<RouteAnswer<R>> {
    const token = await this.#token();
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      [OPERATOR_HEADER]: encodeURIComponent(operatorName()),
    };
    return callRoute(route, input, { base: this.url, headers }).catch((cause: unknown) => {
      throw cause instanceof BrokerUnreachableError ? this.#unreachable() : cause;
    });
  }

  /** Events until `signal`. @throws CentroidError NO_HOST if the broker cannot be reached or goes away */
  async *events(signal: AbortSignal): AsyncGenerator<BrokerEvent> {
    const token = await this.#token();
    const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/events`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const queue: BrokerEvent[] = [];
    let wake: () => void = () => undefined;
    let ended: CentroidError | undefined;
    const end = (error: CentroidError): void => {
      ended ??= error;
      wake();
    };
    socket.on("message", (data: Buffer) => {
      const parsed = eventSchema.safeParse(JSON.parse(data.toString()));
      if (parsed.success) queue.push(parsed.data);
      else
        end(
          new CentroidError(
            "PROTOCOL_VERSION",
            `broker sent an unknown event: ${z.prettifyError(parsed.error)}`,
          ),
        );
      wake();
    });
    socket.on("error", () => end(this.#unreachable()));
    socket.on("close", () => end(new CentroidError("NO_HOST", `broker ${this.url} closed the stream`)));
    signal.addEventListener("abort", () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else if (ended !== undefined) throw ended;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      socket.close();
    }
  }

  #unreachable(): CentroidError {
    return new CentroidError(
      "NO_HOST",
      `no broker at ${this.url}; start one with "centroid up" or name it with --broker`,
    );
  }

  async #token(): Promise<string | undefined> {
    const given = this.#flags.token ?? process.env.CENTROID_TOKEN;
    if (given !== undefined) return given;
    const { stateDir } = await loadConfig({});
    return readFile(adminTokenPath(stateDir), "utf8").then(
      (text) => text.trim(),
      () => undefined,
    );
  }
}
