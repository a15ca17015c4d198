/**
 * The frames of one session, counted in both directions (protocol/session.ts): what came, what was sent and is not safe
 * yet, and what a new connection has to say again. By these counts none is lost and none is applied twice.
 */
import type { ClientControl } from "@centroid/protocol";
import { Outbox } from "./outbox.js";
import type { Resumed } from "./recovery.js";

/** A host that keeps frames until they are confirmed is told after so many. */
const CONFIRM_FRAMES = 32;
const CONFIRM_BYTES = 64 * 1024;

/** What going on at another connection costs, and what is to be sent there first. */
export interface GoneOn {
  again: readonly Uint8Array[];
  lost: number;
  duplicated: number;
  undone: number;
}

export class SessionFrames {
  #outbox = new Outbox();
  /** What connections have carried of this session before it began anew, until it is clear what of that arrived. */
  #earlier: Outbox | undefined;
  #arrivedEarlier: number | undefined;
  /** Frames of the outbox that no connection has carried yet. */
  #unsent: Uint8Array[] = [];
  #received = 0;
  /** Of those, what the host was told; undefined if it does not ask. */
  #confirmed: number | undefined;
  #unconfirmedBytes = 0;

  /** Frames that have come on this session so far. */
  get received(): number {
    return this.#received;
  }

  /** True if the host keeps what it sends until it is confirmed: another connection to it loses nothing. */
  get kept(): boolean {
    return this.#confirmed !== undefined;
  }

  /** The session begins anew; one that has begun and not got any further before is no earlier one. */
  reset(): void {
    if (this.#received > 0) this.#earlier = this.#outbox;
    this.#outbox = new Outbox();
    this.#unsent = [];
    this.#received = 0;
    this.#confirmed = undefined;
  }

  /** @param carried false if no connection could take it */
  sent(frame: Uint8Array, carried: boolean): void {
    this.#outbox.push(frame);
    if (!carried) this.#unsent.push(frame);
  }

  /** The first `received` survive the room's host. */
  confirm(received: number): void {
    this.#outbox.confirm(received);
  }

  came(bytes: number): void {
    this.#received++;
    this.#unconfirmedBytes += bytes;
  }

  /** From now on the host keeps what it sends. */
  keeping(): void {
    this.#confirmed = this.#received;
    this.#unconfirmedBytes = 0;
  }

  /** What to tell a host that keeps frames; undefined while that can wait. Call {@link keeping} once it is told. */
  get due(): ClientControl | undefined {
    if (this.#confirmed === undefined) return undefined;
    if (this.#received - this.#confirmed < CONFIRM_FRAMES && this.#unconfirmedBytes < CONFIRM_BYTES)
      return undefined;
    return { type: "received", received: this.#received };
  }

  /** Another connection is the session now, whose host says what it has had of it and sent to it. */
  goOn(resumed: Resumed): GoneOn {
    // Ahead of the new host: after a move it will say these again, after a restoration it never said them.
    const ahead = Math.max(0, this.#received - resumed.sent);
    const behind = Math.max(0, resumed.sent - this.#received);
    const restored = resumed.restored === true;
    const { frames, missing } = this.#outbox.goOnAfter(resumed.received);
    // The outbox has them too.
    this.#unsent = [];
    this.#received = resumed.sent;
    this.#confirmed = undefined;
    return {
      again: frames,
      lost: behind + missing,
      duplicated: restored ? 0 : ahead,
      undone: restored ? ahead : 0,
    };
  }

  /** Takes out what no connection has carried, for whoever goes on with it. */
  takeUnsent(): readonly Uint8Array[] {
    const frames = this.#unsent;
    this.#unsent = [];
    this.#outbox.withdraw(frames.length);
    return frames;
  }

  /** Of what was sent before the session began anew, the room has processed so many frames. */
  returned(received: number): void {
    this.#arrivedEarlier = received;
  }

  /** Takes out what an earlier connection has carried and the room has not processed; to be called once it is there again. */
  takeMissing(): readonly Uint8Array[] {
    const [earlier, arrived] = [this.#earlier, this.#arrivedEarlier];
    this.#earlier = undefined;
    this.#arrivedEarlier = undefined;
    return earlier === undefined || arrived === undefined ? [] : earlier.goOnAfter(arrived).frames;
  }
}
