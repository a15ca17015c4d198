/**
 * Feeds a running room to its standby: the whole of it once, then after each patch what has changed. The standby
 * answers what it has; only that may be confirmed to players.
 */
import { CentroidError, type Destination } from "@centroid/protocol";
import { WebSocket } from "ws";
import { checkpointVersion, type Received, receivedSoFar } from "../checkpoint/acknowledgements.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import { playerUrl } from "../sessions/player-url.js";
import { MAX_TRANSFER_FRAME_BYTES } from "../transfer/packing.js";
import { StateCopy } from "../transfer/state-copy.js";
import { decodeFromStandby, encodeFeed, type FromPrimary, type FromStandby } from "./standby-wire.js";

/** The standby must have the whole room by then. */
const START_TIMEOUT_MS = 8_000;
const CHUNK_NODES = 256;
/** More records than that on their way mean a slow network: the next one carries all that came meanwhile. */
const MAX_UNCONFIRMED = 8;
/** A room that patches seldom, or only when told to, is looked at so often. */
const FALLBACK_MS = 100;
/** The clock and the timers of a room in which nothing happens are told so often. */
const REFRESH_MS = 500;
/** A room that cannot be read for so long, say because it waits for something all the time, has no standby. */
const UNREADABLE_MS = 5_000;

export interface ReplicatorOptions {
  standbyId: string;
  room: MovableRoom;
  options: unknown;
  destination: Destination;
  networkOf: (sessionId: string) => string | undefined;
  now: () => number;
  onHas: (received: Received) => void;
  /** The standby is gone or cannot be fed; told once, never after {@link Replicator[Symbol.dispose]}. */
  onBroken: (error: CentroidError) => void;
}

/** How much of a longer round trip counts: what is measured includes how busy both ends were. */
const RTT_GAIN = 1 / 8;

/** A standby that the room moves to: the connection, and what of the state has gone there. */
export interface Promoted {
  socket: WebSocket;
  copied: StateCopy;
  /** Players who are there already. */
  attached: ReadonlySet<string>;
  rttMs: number;
}

interface Unconfirmed {
  received: Received;
  sentAtMs: number;
}

export class Replicator implements Disposable {
  readonly #options: ReplicatorOptions;
  readonly #socket: WebSocket;
  readonly #copied: StateCopy;
  readonly #unconfirmed = new Map<number, Unconfirmed>();
  readonly #told = new Set<string>();
  readonly #attached = new Set<string>();
  #rttMs: number | undefined;
  #seq = 0;
  #version = "";
  #shippedAtMs = 0;
  #readableAtMs: number;
  #scheduled: NodeJS.Immediate | undefined;
  #fallback: NodeJS.Timeout | undefined;
  #starting: { resolve: () => void; reject: (error: CentroidError) => void } | undefined;
  #detach: (() => void)[] = [];
  #inviting = false;
  #ended = false;

  constructor(options: ReplicatorOptions) {
    this.#options = options;
    this.#copied = new StateCopy(options.room);
    this.#readableAtMs = options.now();
    const { transferUrl, ticket } = options.destination;
    this.#socket = new WebSocket(`${transferUrl}?ticket=${ticket}`, {
      perMessageDeflate: false,
      maxPayload: MAX_TRANSFER_FRAME_BYTES,
      handshakeTimeout: START_TIMEOUT_MS,
    });
  }

  get standbyId(): string {
    return this.#options.standbyId;
  }

  /**
   * Resolves when the standby has the whole room.
   * @throws CentroidError HOST_LOST | ROOM_NOT_MOVABLE | MIGRATION_TIMEOUT | MIGRATION_FAILED; then this has ended
   */
  async start(): Promise<void> {
    const socket = this.#socket;
    socket.binaryType = "nodebuffer";
    const timer = setTimeout(
      () => this.#broke(new CentroidError("MIGRATION_TIMEOUT", "the standby does not answer")),
      START_TIMEOUT_MS,
    );
    try {
      this.#options.room.move.snapshot.assertMovable();
      await new Promise<void>((resolve, reject) => {
        this.#starting = { resolve, reject };
        socket.on("open", () => this.#begin());
        socket.on("message", (data: Buffer) => this.#hear(data));
        socket.on("error", (cause) =>
          this.#broke(new CentroidError("HOST_LOST", `standby not reachable: ${cause.message}`, { cause })),
        );
        socket.on("close", () =>
          this.#broke(new CentroidError("HOST_LOST", "connection to the standby broke")),
        );
      });
    } catch (cause) {
      this.#end();
      socket.terminate();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Players are told of the standby, each once it is known there. */
  invitePlayers(): void {
    this.#inviting = true;
  }

  /**
   * The room moves to its standby, and this has ended: what changes from here on is the caller's to bring there.
   * @returns undefined if the standby does not have the whole room
   */
  promote(to: { migrationId: string; ticket: string }): Promoted | undefined {
    const socket = this.#socket;
    const whole = this.#starting === undefined && this.#seq > 0;
    if (this.#ended || !whole || socket.readyState !== WebSocket.OPEN) return undefined;
    this.#send({ type: "promote", ...to });
    this.#detachAll();
    socket.removeAllListeners();
    return { socket, copied: this.#copied, attached: this.#attached, rttMs: this.#rttMs ?? 0 };
  }

  /** The standby is told that it is not needed any more. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#end();
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFeed({ type: "retired" }));
    this.#socket.close();
    this.#starting?.reject(
      new CentroidError("MIGRATION_FAILED", "the standby was given up before it had the room"),
    );
  }

  #begin(): void {
    const { room, options } = this.#options;
    const firstAnswers = room.move.firstAnswers.export();
    this.#send({ type: "begin", options, hasState: this.#copied.hasState, firstAnswers });
    this.#detach = [
      room.move.patches.onBefore(() => this.#copied.collect()),
      // After the handler that may have asked for the patch, never in the middle of it.
      room.move.patches.onAfter(() => {
        this.#scheduled ??= setImmediate(() => {
          this.#scheduled = undefined;
          this.#ship();
        });
      }),
      onLeave(room, (sessionId) => {
        this.#told.delete(sessionId);
        this.#attached.delete(sessionId);
      }),
    ];
    this.#fallback = setInterval(() => {
      if (this.#options.now() - this.#shippedAtMs >= FALLBACK_MS) this.#ship();
    }, FALLBACK_MS);
    this.#fallback.unref();
    this.#ship();
  }

  /** Runs between two handlers of the room, all in one step. */
  #ship(): void {
    const { room, now } = this.#options;
    const nowMs = now();
    if (this.#ended || room.move.clock.held || this.#unconfirmed.size >= MAX_UNCONFIRMED) {
      this.#readableAtMs = nowMs;
      return;
    }
    const version = checkpointVersion(room);
    if (version === this.#version && nowMs - this.#shippedAtMs < REFRESH_MS) return;
    if (room.move.activity.busy) {
      this.#unreadable(nowMs, new CentroidError("ROOM_BUSY", "the room's async handlers do not finish"));
      return;
    }
    let record: ReturnType<MovableRoom["move"]["snapshot"]["export"]>;
    try {
      this.#copied.assertCurrent();
    } catch (cause) {
      this.#broke(CentroidError.from(cause));
      return;
    }
    try {
      record = room.move.snapshot.export();
    } catch (cause) {
      this.#unreadable(nowMs, CentroidError.from(cause));
      return;
    }
    this.#readableAtMs = nowMs;
    this.#version = version;
    this.#shippedAtMs = nowMs;
    this.#copied.collect();
    const { nodes, removed } = this.#copied.rest();
    const first = this.#seq === 0;
    // The whole state may be more than one frame holds.
    for (let at = 0; first && at < nodes.length; at += CHUNK_NODES)
      this.#send({ type: "nodes", nodes: nodes.slice(at, at + CHUNK_NODES) });
    const seq = ++this.#seq;
    this.#unconfirmed.set(seq, { received: receivedSoFar(room), sentAtMs: nowMs });
    this.#send({
      type: "record",
      seq,
      nodes: first ? [] : nodes,
      removed,
      nextRefId: this.#copied.nextRefId,
      stateHash: this.#copied.hash,
      takenAtMs: nowMs,
      room: record,
    });
  }

  #unreadable(nowMs: number, error: CentroidError): void {
    if (nowMs - this.#readableAtMs > UNREADABLE_MS) this.#broke(error);
  }

  #hear(data: Buffer): void {
    let message: FromStandby;
    try {
      message = decodeFromStandby(data);
    } catch (cause) {
      this.#broke(CentroidError.from(cause));
      return;
    }
    if (message.type === "has") this.#confirmed(message.seq);
    else this.#attached.add(message.sessionId);
  }

  #confirmed(seq: number): void {
    const confirmed = this.#unconfirmed.get(seq);
    if (confirmed === undefined || this.#ended) return;
    const { received, sentAtMs } = confirmed;
    const rttMs = this.#options.now() - sentAtMs;
    this.#rttMs ??= rttMs;
    this.#rttMs = rttMs < this.#rttMs ? rttMs : this.#rttMs + (rttMs - this.#rttMs) * RTT_GAIN;
    // Records arrive in order: it has the earlier ones too.
    for (const earlier of this.#unconfirmed.keys()) if (earlier <= seq) this.#unconfirmed.delete(earlier);
    this.#starting?.resolve();
    this.#starting = undefined;
    this.#options.onHas(received);
    if (this.#inviting) this.#invite(received);
  }

  #invite(known: Received): void {
    const { room, destination, networkOf } = this.#options;
    const { hostId, name, latitude, longitude } = destination;
    for (const { sessionId, link } of movableClients(room)) {
      if (!known.has(sessionId) || this.#told.has(sessionId)) continue;
      this.#told.add(sessionId);
      const url = playerUrl(destination, room.roomId, sessionId, networkOf(sessionId));
      link.control({ type: "standby", url, host: { hostId, name, latitude, longitude } });
    }
  }

  #send(message: FromPrimary): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFeed(message));
  }

  #broke(error: CentroidError): void {
    if (this.#ended) return;
    this.#end();
    this.#socket.terminate();
    if (this.#starting === undefined) this.#options.onBroken(error);
    else this.#starting.reject(error);
  }

  #end(): void {
    this.#detachAll();
    this.#copied[Symbol.dispose]();
  }

  #detachAll(): void {
    this.#ended = true;
    clearInterval(this.#fallback);
    clearImmediate(this.#scheduled);
    for (const detach of this.#detach) detach();
  }
}

/** @returns ends it */
function onLeave(room: MovableRoom, run: (sessionId: string) => void): () => void {
  const left = ({ sessionId }: { sessionId: string }): void => run(sessionId);
  room.move.events.on("leave", left);
  return () => room.move.events.off("leave", left);
}
