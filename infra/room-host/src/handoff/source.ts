/**
 * The side of a hand-off that has the room: copies it while it runs, freezes it between two ticks, ships the
 * rest, and either releases the room or resumes it.
 *
 *   preparing -> copying -> connecting -> frozen -> switching -> releasing     (any -> rolled-back before the end)
 */
import {
  CentroidError,
  CLOSE_ROOM_MOVED,
  type Destination,
  type InStep,
  type MigrationPhase,
  type Transfer,
} from "@centroid/protocol";
import { whyNotInStep } from "../colyseus/lockstep.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import { isDeterministic, type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import type { Promoted } from "../standby/replicator.js";
import { DestinationLine, type Unasked } from "./destination-line.js";
import { forwardStockClient } from "./forward.js";
import { HandOverInStep, type Hashes } from "./hand-over-in-step.js";
import { Invitations } from "./invitations.js";
import { StateShipment } from "./state-shipment.js";

/** A room that sends no patch for this long may be frozen all the same. */
const NO_PATCH_MS = 100;
/** How long a room may be in the middle of the author's async code before the move is given up. */
const BUSY_TIMEOUT_MS = 3_000;
/** An old socket is kept this long for players who have not read its last frames. */
const LINGER_MS = 10_000;

export interface SourceOptions {
  migrationId: string;
  room: MovableRoom;
  options: unknown;
  /** Epoch at the destination. */
  epoch: number;
  destination: Destination;
  /** The standby at the destination, told by now that it is to become the room. */
  promoted?: Promoted | undefined;
  deadlineMs: number;
  networkOf: (sessionId: string) => string | undefined;
  onPhase: (phase: MigrationPhase, bytes: number) => void;
  now: () => number;
}

type State =
  | { name: "copying" }
  | { name: "frozen" }
  /** The connection broke after the rest was shipped: the destination may or may not run the room. */
  | { name: "undecided" }
  | { name: "released" }
  | { name: "rolled-back" };

export class HandoffSource {
  readonly #options: SourceOptions;
  readonly #phases: Transfer["phases"] = [];
  readonly #moved = new Map<string, MovableClient>();
  readonly #line: DestinationLine;
  readonly #shipment: StateShipment;
  readonly #invitations: Invitations;
  /** Of a deterministic room, while the destination steps along. */
  #handOver: HandOverInStep | undefined;
  #lastPatchAtMs: number;
  #state: State = { name: "copying" };
  #detach: (() => void)[] = [];

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#lastPatchAtMs = options.now();
    const { room, destination, promoted, deadlineMs, now } = options;
    this.#line = new DestinationLine({
      destination,
      deadlineMs,
      now,
      onUnasked: (message) => this.#hear(message),
      onFailed: () => {
        this.#invitations.lookAgain();
        this.#handOver?.fail();
      },
    });
    this.#shipment = new StateShipment({ room, line: this.#line, copied: promoted?.copied, now });
    this.#invitations = new Invitations({ ...options, line: this.#line, standby: promoted?.attached });
    if (promoted !== undefined) this.#line.adopt(promoted.socket, promoted.rttMs);
  }

  get state(): State["name"] {
    return this.#state.name;
  }

  /**
   * Runs the move. Resolves when the destination owns the room and nothing of it is left here.
   * @throws CentroidError; `state` tells whether the room goes on here (`rolled-back`) or nobody knows
   *   (`undecided`: ask the destination, then call {@link rollBack} or {@link release}).
   */
  async run(signal: AbortSignal): Promise<Transfer> {
    const { room, promoted } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#options.deadlineMs)]);
    const onAbort = (): void =>
      this.#line.fail(new CentroidError("MIGRATION_TIMEOUT", "the move was aborted or took too long"));
    deadline.addEventListener("abort", onAbort, { once: true });
    this.#detach.push(() => deadline.removeEventListener("abort", onAbort));
    try {
      room.move.snapshot.assertMovable();
      this.#phase("preparing");
      if (promoted === undefined) await this.#bring();
      else this.#beginChanges();
      this.#phase("connecting");
      await this.#invitations.arrived();
      await this.#shipment.written();
      await this.#untilQuiet();
      const handedOver = isDeterministic(room) ? await this.#handOverInStep() : undefined;
      const hashes = handedOver?.hashes ?? (await this.#freeze());
      this.#phase("releasing");
      this.release();
      return {
        bytes: this.#line.bytes,
        rounds: this.#shipment.rounds,
        phases: this.#endPhase(),
        ...hashes,
        ...(handedOver !== undefined && { inStep: handedOver.inStep }),
        ...(promoted !== undefined && { promoted: true }),
      };
    } catch (cause) {
      const error = CentroidError.from(cause);
      if (this.#state.name === "copying") this.rollBack();
      else if (this.#state.name === "frozen") {
        if (error.code === "ROOM_ERROR" || error.code === "ROOM_NOT_MOVABLE" || error.code === "ROOM_FULL")
          this.rollBack();
        else this.#state = { name: "undecided" };
      }
      throw error;
    }
  }

  /** The room goes on here, with everything that arrived meanwhile. */
  rollBack(): void {
    if (this.#state.name === "released" || this.#state.name === "rolled-back") return;
    const wasHeld = this.#options.room.move.clock.held;
    this.#state = { name: "rolled-back" };
    this.#line.settle();
    this.#handOver?.end();
    this.#unwatch();
    this.#line.trySend({ type: "abort" });
    this.#line.close();
    if (wasHeld) this.#options.room.move.clock.resume();
    for (const client of movableClients(this.#options.room)) {
      client.link.forget();
      client.link.control({ type: "cancelled", migrationId: this.#options.migrationId });
      client.link.thaw();
      // Broke while we were moving: now it is an ordinary broken connection.
      if (!client.link.connected && !this.#options.room.move.activity.awaited.has(client.sessionId))
        client.link.abandon();
    }
  }

  /** The destination owns the room: nothing of it runs here; old sockets linger for slow readers. */
  release(): void {
    if (this.#state.name === "released" || this.#state.name === "rolled-back") return;
    this.#state = { name: "released" };
    this.#line.settle();
    this.#handOver?.end();
    this.#unwatch();
    const sockets: ServerSocket[] = [];
    for (const client of movableClients(this.#options.room)) {
      this.#moved.set(client.sessionId, client);
      const late = client.link.takeLate();
      const socket = client.link.moveAway();
      if (socket === undefined) continue;
      if (client.link.centroid) sockets.push(socket);
      else forwardStockClient(socket, this.#invitations.urlOf(client), late);
    }
    this.#options.room.move.release();
    this.#line.trySend({ type: "released" });
    setTimeout(() => {
      for (const socket of sockets) socket.close(CLOSE_ROOM_MOVED, "room moved");
      this.#moved.clear();
      this.#line.close();
    }, LINGER_MS).unref();
  }

  #watch(): void {
    const { patches } = this.#options.room.move;
    this.#detach.push(
      patches.onBefore(() => this.#shipment.copied.collect()),
      patches.onAfter(() => {
        this.#lastPatchAtMs = this.#options.now();
      }),
      this.#invitations.watch(),
    );
  }

  #unwatch(): void {
    for (const detach of this.#detach.splice(0)) detach();
    this.#shipment[Symbol.dispose]();
  }

  /** Everything there is of the room, to a destination that has nothing of it. */
  async #bring(): Promise<void> {
    await this.#line.connect();
    this.#begin();
    await this.#line.receive("ready");
    this.#phase("copying");
    this.#beginChanges();
    await this.#shipment.whole();
  }

  /** To a destination that has built the room from what it was fed with: what changes from here on. */
  #beginChanges(): void {
    this.#watch();
    this.#invitations.inviteAll();
  }

  #begin(): void {
    const { options, room } = this.#options;
    const firstAnswers = room.move.firstAnswers.export();
    this.#line.send({ type: "begin", options, hasState: this.#shipment.copied.hasState, firstAnswers });
  }

  /** Until no async code of the author is cut in two, and a patch has just gone out. */
  async #untilQuiet(): Promise<void> {
    const { room } = this.#options;
    const until = this.#options.now() + BUSY_TIMEOUT_MS;
    const patched = (): Promise<void> =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          detach();
          resolve();
        };
        const timer = setTimeout(done, NO_PATCH_MS);
        const detach = room.move.patches.onAfter(done);
      });
    do {
      await patched();
      this.#line.check();
      if (this.#options.now() > until) {
        throw new CentroidError(
          "ROOM_BUSY",
          "the room's async handlers did not finish in time; it will be moved later",
        );
      }
    } while (room.move.activity.busy);
  }

  /**
   * The destination steps along and takes over at an agreed step.
   * @returns why not, if it does not: then the room goes on here as before
   */
  async #handOverInStep(): Promise<{ inStep: InStep; hashes?: Hashes }> {
    const { room, now, migrationId, epoch } = this.#options;
    const reason = whyNotInStep(room);
    if (reason !== undefined) return { inStep: { outcome: "fell-back", reason } };
    const handOver = new HandOverInStep({
      room,
      now,
      migrationId,
      epoch,
      line: this.#line,
      copied: this.#shipment.copied,
      onHandingOver: () => {
        this.#phase("switching");
        this.#state = { name: "frozen" };
      },
    });
    this.#handOver = handOver;
    const inStep = await handOver.run();
    this.#line.check();
    this.#handOver = undefined;
    if (inStep.outcome === "taken-over") return { inStep, hashes: handOver.hashes };
    this.#state = { name: "copying" };
    await this.#copyAgain();
    return { inStep };
  }

  /** From the beginning, for a destination that has given up what it had. */
  async #copyAgain(): Promise<void> {
    this.#shipment.beginAgain();
    this.#phase("copying");
    this.#begin();
    await this.#line.receive("ready");
    await this.#shipment.whole();
    await this.#shipment.written();
    await this.#untilQuiet();
  }

  /** Everything in here up to the send is one synchronous step: no message and no tick can come between. */
  async #freeze(): Promise<Hashes> {
    const { room } = this.#options;
    room.broadcastPatch();
    const { copied } = this.#shipment;
    copied.assertCurrent();
    const { nodes, removed } = copied.rest();
    room.move.clock.hold();
    const clients = movableClients(room);
    for (const client of clients) client.link.freeze();
    this.#phase("frozen");
    const record = room.move.snapshot.export();
    this.#state = { name: "frozen" };
    this.#line.send({
      type: "freeze",
      nodes,
      removed,
      nextRefId: copied.nextRefId,
      stateHash: copied.hash,
      sinceTickMs: this.#options.now() - this.#lastPatchAtMs + this.#line.rttMs / 2,
      room: record,
    });
    for (const { link } of clients) {
      link.control({
        type: "moved",
        migrationId: this.#options.migrationId,
        epoch: this.#options.epoch,
        sent: link.sent,
      });
    }
    this.#phase("switching");
    const accepted = await this.#line.receive("accepted");
    return { stateHashBefore: copied.hash, stateHashAfter: accepted.stateHash };
  }

  #hear(message: Unasked): void {
    switch (message.type) {
      case "attached":
        this.#invitations.attached(message.sessionId);
        return;
      case "replay": {
        const link = (this.#moved.get(message.sessionId) ?? this.#client(message.sessionId))?.link;
        const frames = link?.replay(message.received);
        this.#line.trySend({ type: "replayed", sessionId: message.sessionId, frames });
        return;
      }
      case "agreed":
        this.#handOver?.agreed(message.number);
        return;
      case "differs":
        this.#handOver?.differs(message);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  #client(sessionId: string): MovableClient | undefined {
    return movableClients(this.#options.room).find((client) => client.sessionId === sessionId);
  }

  #phase(phase: MigrationPhase): void {
    this.#endPhase();
    this.#phases.push({ phase, atMs: this.#options.now(), durationMs: 0 });
    this.#options.onPhase(phase, this.#line.bytes);
  }

  #endPhase(): Transfer["phases"] {
    const last = this.#phases.at(-1);
    if (last !== undefined) last.durationMs = this.#options.now() - last.atMs;
    return this.#phases;
  }
}
