/** One session's stream of a trunk, with the shape of a WebSocket. */
import { CLOSE_ABNORMAL, CLOSE_NORMAL, CLOSE_ROOM_MOVED } from "@centroid/protocol";
import {
  Channel,
  type CountedFrame,
  closeBoundary,
  openBoundary,
  type StreamOpening,
  type TrunkFrame,
} from "@centroid/protocol/trunk";
import type { SessionSocket } from "@centroid/sdk/session";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

export class TrunkStream implements SessionSocket {
  readonly id: number;
  readonly channel = new Channel<CountedFrame>();
  readonly #say: (frame: TrunkFrame) => void;
  onopen: SessionSocket["onopen"] = null;
  onmessage: SessionSocket["onmessage"] = null;
  onclose: SessionSocket["onclose"] = null;
  onerror: SessionSocket["onerror"] = null;
  #state = CONNECTING;
  #slow = false;

  /** @param say to the other end, if there is a connection */
  constructor(id: number, opening: StreamOpening, say: (frame: TrunkFrame) => void) {
    this.id = id;
    this.#say = say;
    this.channel.send(openBoundary(opening));
  }

  get readyState(): number {
    return this.#state;
  }

  get closed(): boolean {
    return this.#state === CLOSED;
  }

  /** While true the other end is not told what arrived, and so stops when its window is full. */
  set slow(slow: boolean) {
    this.#slow = slow;
    this.#confirm();
  }

  /** It is on its way to the room host. */
  opened(): void {
    if (this.#state !== CONNECTING) return;
    this.#state = OPEN;
    this.onopen?.({});
  }

  /** @param frame is kept: it must not change afterwards */
  send(frame: Uint8Array): void {
    if (this.closed) return;
    if (!this.channel.send(frame)) this.close(CLOSE_ABNORMAL, "too much kept");
  }

  close(code = CLOSE_NORMAL, reason = ""): void {
    if (this.closed) return;
    this.channel.send(closeBoundary(code, reason));
    this.#end(code, reason);
  }

  /** @param data stays as it is */
  received(data: Buffer<ArrayBuffer>): void {
    this.channel.take(data.byteLength);
    this.#confirm();
    if (!this.closed) this.onmessage?.({ data });
  }

  /** The room host has closed it. */
  closedThere(code: number, reason: string): void {
    this.channel.take(0);
    this.#ack(this.channel.received);
    this.#end(code, reason);
  }

  /** The room host knows nothing of it, or cannot be reached any more. */
  lost(): void {
    // Nobody has answered yet: as if the room were elsewhere, which is worth another look.
    this.#end(this.channel.received === 0 ? CLOSE_ROOM_MOVED : CLOSE_ABNORMAL, "the room's host is away");
  }

  #confirm(): void {
    const due = this.#slow ? undefined : this.channel.dueAck();
    if (due !== undefined) this.#ack(due);
  }

  #ack(received: number): void {
    this.#say({ type: "ack", stream: this.id, received });
  }

  #end(code: number, reason: string): void {
    if (this.closed) return;
    this.#state = CLOSED;
    this.onclose?.({ code, reason });
  }
}
