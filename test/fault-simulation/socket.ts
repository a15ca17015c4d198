/** One end of a simulated connection, as `ws` has it (events) and as browsers have it (`on...` slots). */
import { EventEmitter } from "node:events";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS } from "@centroid/protocol";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";
import type { Network } from "./network.js";
import type { SimProcess } from "./scheduler.js";

/** `ws` waits so long for the other end's farewell. */
const CLOSE_TIMEOUT_MS = 30_000;

type Data = string | Uint8Array;

export class SimSocket extends EventEmitter {
  static readonly OPEN = 1;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readyState = 0;
  binaryType = "";
  onopen: ((event: object) => void) | undefined;
  onmessage: ((event: { data: ArrayBuffer | string }) => void) | undefined;
  onclose: ((event: { code: number; reason: string }) => void) | undefined;
  onerror: ((event: object) => void) | undefined;
  /** Sees every message before the code that it is for. */
  tap: ((data: Data) => void) | undefined;
  /** When the last of what it sent arrives. */
  arrivesAtMs = 0;
  /** What is still under way to it is lost. */
  deaf = false;
  readonly dialled: boolean;
  readonly #network: Network;
  #process: SimProcess | undefined;
  #machine: string;
  #peer: SimSocket | undefined;

  constructor(network: Network, process: SimProcess | undefined, machine = process?.machine ?? "") {
    super();
    this.#network = network;
    this.#process = process;
    this.#machine = machine;
    this.dialled = process !== undefined;
  }

  get process(): SimProcess | undefined {
    return this.#process;
  }

  get machine(): string {
    return this.#machine;
  }

  get peer(): SimSocket {
    return this.#peer as SimSocket;
  }

  pair(peer: SimSocket): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  own(process: SimProcess): void {
    this.#process = process;
  }

  send(data: Data, done?: () => void): void {
    if (done !== undefined) this.#network.later(0, this.#process, done);
    if (this.readyState !== this.OPEN) return;
    const copy = typeof data === "string" ? data : new Uint8Array(data);
    const { peer } = this;
    this.#network.carry(this, peer.process, () => peer.#take(copy));
  }

  ping(): void {
    const { peer } = this;
    this.#network.carry(this, peer.process, () => {
      if (peer.readyState !== peer.OPEN || peer.deaf) return;
      this.#network.carry(peer, this.#process, () => {
        if (!this.deaf) this.emit("pong");
      });
    });
  }

  close(code?: number, reason = ""): void {
    if (this.readyState >= this.CLOSING) return;
    if (this.readyState === this.CONNECTING) {
      this.terminate();
      return;
    }
    this.readyState = this.CLOSING;
    const { peer } = this;
    this.#network.carry(this, peer.process, () => {
      if (peer.readyState >= peer.CLOSED || peer.deaf) return;
      peer.#gone(code ?? CLOSE_NO_STATUS, reason);
      this.#network.carry(peer, this.#process, () => this.#gone(code ?? CLOSE_NO_STATUS, reason));
    });
    this.#network.later(CLOSE_TIMEOUT_MS, this.#process, () => this.#gone(CLOSE_ABNORMAL, ""));
  }

  terminate(): void {
    if (this.readyState === this.CLOSED) return;
    this.readyState = this.CLOSING;
    this.deaf = true;
    const { peer } = this;
    this.#network.carry(this, peer.process, () => peer.broke());
    this.#network.later(0, this.#process, () => this.#gone(CLOSE_ABNORMAL, ""));
  }

  opened(): void {
    if (this.readyState !== this.CONNECTING) return;
    this.readyState = this.OPEN;
    this.emit("open");
    this.onopen?.({});
  }

  /** Nobody listens there. */
  refused(): void {
    if (this.readyState === this.CLOSED) return;
    const error = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    if (this.listenerCount("error") > 0) this.emit("error", error);
    this.onerror?.(error);
    this.#gone(CLOSE_ABNORMAL, "");
  }

  /** The connection is gone without a word. */
  broke(): void {
    this.#gone(CLOSE_ABNORMAL, "");
  }

  /** Its process has ended: nobody is left to be told. */
  buried(): void {
    this.readyState = this.CLOSED;
    this.#network.forget(this);
  }

  #take(data: Data): void {
    if (this.deaf || this.readyState !== this.OPEN) return;
    this.tap?.(data);
    if (this.onmessage !== undefined && this.onmessage !== null) {
      const bytes = typeof data === "string" ? data : (data.buffer as ArrayBuffer);
      this.onmessage({ data: bytes });
    }
    this.emit("message", typeof data === "string" ? data : Buffer.from(data.buffer as ArrayBuffer));
  }

  #gone(code: number, reason: string): void {
    if (this.readyState === this.CLOSED) return;
    this.readyState = this.CLOSED;
    this.#network.forget(this);
    this.emit("close", code, Buffer.from(reason));
    this.onclose?.({ code, reason });
  }
}

/** The same as a room host sees it: what came before anybody listened is kept. */
export function serverSocket(socket: SimSocket): ServerSocket {
  const early: Buffer[] = [];
  let listener: ((frame: Buffer) => void) | undefined;
  let closed: number | undefined;
  let onClose: ((code: number) => void) | undefined;
  socket.on("message", (frame: Buffer) => {
    if (listener === undefined) early.push(frame);
    else listener(frame);
  });
  socket.on("close", (code: number) => {
    closed = code;
    onClose?.(code);
  });
  return {
    send: (frame) => socket.send(frame),
    close: (code, reason) => socket.close(code, reason),
    onMessage(next) {
      listener = next;
      for (const frame of early.splice(0)) next(frame);
    },
    onClose(next) {
      onClose = next;
      if (closed !== undefined) next(closed);
    },
  };
}
