/** One session's stream of a trunk, with the shape of a WebSocket. */
import { CLOSE_ROOM_MOVED } from "@centroid/protocol";
import { Channel, encodeTrunkData, encodeTrunkFrame, type StreamOpening } from "@centroid/protocol/trunk";
import type { SessionSocket } from "@centroid/sdk/session";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
const CLOSE_ABNORMAL = 1006;

export interface TrunkStreamOptions {
  id: number;
  opening: StreamOpening;
  /** Says to the other end how many frames have arrived. */
  confirm: (received: number) => void;
}

export class TrunkStream implements SessionSocket {
  readonly channel = new Channel();
  readonly #options: TrunkStreamOptions;
  onopen: SessionSocket["onopen"] = null;
  onmessage: SessionSocket["onmessage"] = null;
  onclose: SessionSocket["onclose"] = null;
  onerror: SessionSocket["onerror"] = null;
  #state = CONNECTING;
  #slow = false;

  constructor(options: TrunkStreamOptions) {
    this.#options = options;
    this.channel.send(encodeTrunkFrame({ type: "open", stream: options.id, opening: options.opening }));
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

  send(frame: Uint8Array): void {
    if (this.closed) return;
    if (!this.channel.send(encodeTrunkData(this.#options.id, frame)))
      this.close(CLOSE_ABNORMAL, "too much kept");
  }

  close(code = 1000, reason = ""): void {
    if (this.closed) return;
    this.channel.send(encodeTrunkFrame({ type: "close", stream: this.#options.id, code, reason }));
    this.#end(code, reason);
  }

  /** @param data valid until this returns */
  received(data: Buffer): void {
    this.channel.take(data.byteLength);
    this.#confirm();
    if (this.closed) return;
    // A copy, and with nothing else around it: that is what a WebSocket gives.
    this.onmessage?.({ data: new Uint8Array(data).buffer });
  }

  /** The room host has closed it. */
  closedThere(code: number, reason: string): void {
    this.channel.take(0);
    this.#options.confirm(this.channel.received);
    this.#end(code, reason);
  }

  /** The room host knows nothing of it, or cannot be reached any more. */
  lost(): void {
    // Nobody has answered yet: as if the room were elsewhere, which is worth another look.
    this.#end(this.channel.received === 0 ? CLOSE_ROOM_MOVED : CLOSE_ABNORMAL, "the room's host is away");
  }

  #confirm(): void {
    const due = this.#slow ? undefined : this.channel.dueAck();
    if (due !== undefined) this.#options.confirm(due);
  }

  #end(code: number, reason: string): void {
    if (this.closed) return;
    this.#state = CLOSED;
    this.onclose?.({ code, reason });
  }
}
