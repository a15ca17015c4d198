/** How long one broker cannot have given this host's rooms to others: by what it has answered, or because nobody was there. */

/** A broker that starts again waits for its hosts for longer than this before it gives their rooms to others. */
const ABSENCE_COUNTS_MS = 2_400;

export class BrokerLease {
  /** Until when this broker cannot have counted the host as lost, by what it has answered. */
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Until when no other broker can either, by what this one has answered. */
  #vouchedUntilMs = Number.NEGATIVE_INFINITY;
  #leaseMs = 0;
  /** When the heartbeats that it has not answered yet were sent. */
  #beatsAtMs: number[] = [];
  /** When the last hello was sent. */
  #saidHelloAtMs = 0;
  /** When the last heartbeat that was answered was sent; the hello, if none was. */
  #answeredAtMs = 0;
  /** Nobody, or somebody who is no broker, listened there at that time or later. */
  #absentAtMs = Number.NEGATIVE_INFINITY;

  /** As its last welcome said; 0 before the first. */
  get leaseMs(): number {
    return this.#leaseMs;
  }

  /** By what it has answered; 0 if it may have counted the host as lost. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }

  /** The same of all brokers: while the others have to ask this one first. */
  vouchedLeftMs(nowMs: number): number {
    return Math.max(0, this.#vouchedUntilMs - nowMs);
  }

  /**
   * The same for a broker that has ended: its port refuses, so nobody there can have given rooms to others, nor can one
   * that starts now for a while. A connection that breaks is no such proof: networks break them, too.
   */
  absenceLeftMs(nowMs: number): number {
    return Math.max(0, this.#absentAtMs + ABSENCE_COUNTS_MS - nowMs);
  }

  /** Nobody listened there at that time or later. */
  wasAbsentSince(atMs: number): boolean {
    return this.#absentAtMs >= atMs;
  }

  /** Whoever was dialled at that time is not there, or is no broker. */
  absent(dialledAtMs: number): void {
    this.#absentAtMs = dialledAtMs;
  }

  /** A new connection: what was not answered on the last will not be. */
  dialled(): void {
    this.#beatsAtMs = [];
  }

  /**
   * From this hello on the broker counts the host's silence anew: what another one left it, and that none was there,
   * counts no longer than a lease does.
   */
  saidHello(nowMs: number): void {
    const leftMs = Math.max(this.leftMs(nowMs), this.absenceLeftMs(nowMs));
    this.#untilMs = nowMs + Math.min(leftMs, this.#leaseMs);
    this.#vouchedUntilMs = Math.min(this.#vouchedUntilMs, nowMs + this.#leaseMs);
    this.#absentAtMs = Number.NEGATIVE_INFINITY;
    this.#saidHelloAtMs = nowMs;
  }

  welcomed(leaseMs: number, nowMs: number): void {
    this.#leaseMs = leaseMs;
    // For the broker the host has been there since it heard the hello, which was later than this.
    // One that is over is renewed by the first answer: what the host must let go of it hears before that.
    if (this.#untilMs > nowMs) this.#untilMs = this.#saidHelloAtMs + leaseMs;
    this.#answeredAtMs = this.#saidHelloAtMs;
  }

  /** A heartbeat is sent. */
  beat(nowMs: number): void {
    this.#beatsAtMs.push(nowMs);
  }

  /**
   * Each heartbeat is answered, in order; the lease counts from when that one was sent, however late the answer is.
   * @param vouchedMs for how long from then on no other broker can have counted the host as lost; a lease if not given
   */
  heard(vouchedMs = this.#leaseMs): void {
    const sentAtMs = this.#beatsAtMs.shift();
    if (sentAtMs === undefined) return;
    this.#answeredAtMs = sentAtMs;
    this.#untilMs = Math.max(this.#untilMs, sentAtMs + this.#leaseMs);
    this.#vouchedUntilMs = Math.max(this.#vouchedUntilMs, sentAtMs + Math.min(vouchedMs, this.#leaseMs));
  }

  /** The broker ends, and its next life leaves the host for so long after the last answer. */
  goodbye(leaseMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, this.#answeredAtMs + leaseMs);
    this.#vouchedUntilMs = Math.max(this.#vouchedUntilMs, this.#untilMs);
  }
}
