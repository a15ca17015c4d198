/** One agent's connection: requests with replies and time limits. */
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  agentResultSchemas,
  type BrokerToAgent,
  CentroidError,
  type TurnBatch,
  tryRead,
  type WireError,
} from "@centroid/protocol";
import type { WebSocket } from "ws";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import { type AgentPeer, AUTHOR_TIMEOUT_MS } from "./host-registry.js";
import { type AgentPlace, assertAnswer } from "./reported-addresses.js";
import type { RoomGrants } from "./room-grants.js";

/** An agent that does not answer within this is treated as hung for this request. */
const REPLY_TIMEOUT_MS = 10_000;
/** A live socket answers a ping well within this. */
const PING_TIMEOUT_MS = 500;

interface Pending {
  method: AgentMethod;
  resolve: (result: unknown) => void;
  reject: (error: CentroidError) => void;
  cancelTimeout: () => void;
}

export class AgentLink implements AgentPeer {
  readonly hostId: string;
  readonly #socket: WebSocket;
  readonly #batch: TurnBatch;
  readonly #clock: Clock;
  readonly #grants: RoomGrants;
  readonly place: AgentPlace;
  readonly #pending = new Map<number, Pending>();
  #nextRequestId = 1;
  #closed = false;

  constructor(
    hostId: string,
    socket: WebSocket,
    batch: TurnBatch,
    clock: Clock,
    grants: RoomGrants,
    place: AgentPlace,
  ) {
    this.hostId = hostId;
    this.#socket = socket;
    this.#batch = batch;
    this.#clock = clock;
    this.#grants = grants;
    this.place = place;
  }

  request<M extends AgentMethod>(
    request: Extract<AgentRequest, { method: M }>,
    timeoutMs = timeoutOf(request.method),
  ): Promise<AgentResults[M]> {
    if (this.#closed) return Promise.reject(this.#lost());
    const requestId = this.#nextRequestId++;
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        this.#pending.delete(requestId);
        reject(
          new CentroidError(
            "HOST_LOST",
            `host ${this.hostId} did not answer ${request.method} within ${timeoutMs} ms`,
          ),
        );
      });
      this.#pending.set(requestId, {
        method: request.method,
        resolve: resolve as (result: unknown) => void,
        reject,
        cancelTimeout,
      });
      const grant = this.#grants.forOrder(this.hostId, request);
      this.send({ type: "request", requestId, request, ...(grant !== undefined && { grant }) });
    });
  }

  send(message: BrokerToAgent): void {
    if (this.#closed) return;
    this.#batch.open();
    this.#socket.send(JSON.stringify(message));
  }

  /** Tells the agent that this broker ends. Resolves when it has heard that, or cannot be told any more. */
  async goodbye(leaseMs: number): Promise<void> {
    this.send({ type: "goodbye", leaseMs });
    // Answered behind what was sent before: the end of this process throws away what has not been read.
    await this.alive();
  }

  /** A reply from the agent. A late or unknown one is ignored. */
  reply(requestId: number, result: unknown, error: WireError | undefined): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return;
    this.#pending.delete(requestId);
    pending.cancelTimeout();
    if (error !== undefined) {
      pending.reject(CentroidError.fromWire(error));
      return;
    }
    const parsed = tryRead(agentResultSchemas[pending.method], result);
    if (parsed.success) {
      try {
        assertAnswer(parsed.data, this.place);
        pending.resolve(parsed.data);
      } catch (cause) {
        pending.reject(CentroidError.from(cause));
      }
    } else {
      const detail = z.prettifyError(parsed.error);
      pending.reject(
        new CentroidError(
          "INTERNAL",
          `host ${this.hostId} sent an invalid answer to ${pending.method}: ${detail}`,
        ),
      );
    }
  }

  /** True if the other end is still there: it answers a ping. */
  async alive(): Promise<boolean> {
    if (this.#closed || this.#socket.readyState !== this.#socket.OPEN) return false;
    return new Promise((resolve) => {
      const settle = (alive: boolean): void => {
        cancel();
        this.#socket.off("pong", onPong);
        this.#socket.off("close", onClose);
        resolve(alive);
      };
      const onPong = (): void => settle(true);
      const onClose = (): void => settle(false);
      const cancel = this.#clock.after(PING_TIMEOUT_MS, onClose);
      this.#socket.once("pong", onPong);
      this.#socket.once("close", onClose);
      this.#socket.ping();
    });
  }

  /** Ends the link; every open request fails with HOST_LOST. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject, cancelTimeout } of this.#pending.values()) {
      cancelTimeout();
      reject(this.#lost());
    }
    this.#pending.clear();
    this.#socket.terminate();
  }

  #lost(): CentroidError {
    return new CentroidError("HOST_LOST", `the connection to host ${this.hostId} broke`);
  }
}

function timeoutOf(method: AgentMethod): number {
  return method === "createRoom" || method === "reserveSeat" || method === "restoreRoom"
    ? AUTHOR_TIMEOUT_MS
    : REPLY_TIMEOUT_MS;
}
