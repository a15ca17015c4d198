/** One player's socket as a room host has it when a gateway carries it: a stream of a trunk. */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { Channel, type CountedFrame, closeBoundary } from "@centroid/protocol/trunk";
import { EarlyFrames } from "../sockets/early-frames.js";
import { guarded, type OnFailed } from "../sockets/isolated.js";
import { CLOSE_TOO_LARGE, type ServerSocket } from "../sockets/server-socket.js";

/** Kept of a player's frames before the room listens; more than anybody sends while joining. */
const MAX_EARLY_BYTES = 256 * 1024;

export class HostStream implements ServerSocket {
  readonly carried: boolean;
  readonly channel = new Channel<CountedFrame>();
  readonly #failed: OnFailed;
  readonly #early: EarlyFrames;
  readonly #onClose: ((code: number) => void)[] = [];
  #closedWith: number | undefined;

  /**
   * @param carried a gateway passes on what the player's own client says, and what it is told
   * @param failed given what this session's listeners throw: the trunk carries on with the others
   */
  constructor(carried: boolean, failed: OnFailed) {
    this.carried = carried;
    this.#failed = failed;
    const tooMany = (): void => this.close(CLOSE_TOO_LARGE, "too much too early");
    this.#early = new EarlyFrames(MAX_EARLY_BYTES, tooMany, failed);
  }

  /** This end has closed it, and waits only for the other end to hear that. */
  get closed(): boolean {
    return this.#closedWith !== undefined;
  }

  send(frame: Uint8Array): void {
    if (this.closed) return;
    // Colyseus reuses its buffers.
    if (!this.channel.send(Buffer.from(frame))) this.#end(CLOSE_ABNORMAL);
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    this.channel.send(closeBoundary(code, reason));
    this.#end(code);
  }

  onMessage(listener: (frame: Buffer) => void): void {
    this.#early.listen(listener);
  }

  onClose(listener: (code: number) => void): void {
    const own = guarded(listener, this.#failed);
    if (this.#closedWith === undefined) this.#onClose.push(own);
    else own(this.#closedWith);
  }

  /** @param frame valid until this returns */
  received(frame: Buffer): void {
    if (!this.closed) this.#early.received(frame, (mine) => Buffer.from(mine));
  }

  /** The player, or the gateway, has gone. */
  gone(code: number): void {
    this.#end(code);
  }

  #end(code: number): void {
    if (this.closed) return;
    this.#closedWith = code;
    this.#early.end();
    for (const listener of this.#onClose.splice(0)) listener(code);
  }
}
