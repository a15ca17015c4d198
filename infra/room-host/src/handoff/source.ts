/**
 * The side of a hand-off that has the room: copies it while it runs, freezes it between two ticks, ships the
 * rest, and either releases the room or resumes it.
 *
 *   preparing -> copying -> connecting -> frozen -> switching -> releasing     (any -> rolled-back before the end)
 */
import { randomBytes } from "node:crypto";
import { setImmediate as nextLoop } from "node:timers/promises";
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
import type { NodeRecord } from "../colyseus/schema/records.js";
import { playerUrl } from "../sessions/player-url.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import type { Promoted } from "../standby/replicator.js";
import { StateCopy } from "../transfer/state-copy.js";
import { DestinationLine, type Unasked } from "./destination-line.js";
import { forwardStockClient } from "./forward.js";
import { HandOverInStep, type Hashes } from "./hand-over-in-step.js";

/** The first pass yields to the room after this long, so that players notice nothing. */
const COPY_SLICE_MS = 1.5;
const COPY_CHUNK_NODES = 256;
/** Further passes bring what the freeze has to ship down to about this many nodes. */
const FREEZE_NODES = 64;
const MAX_DIRTY_PASSES = 4;
/** How long the room waits for players to reach the destination before it moves without the slow ones. */
const CONNECT_TIMEOUT_MS = 1_500;
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
  readonly #tickets = new Map<string, string>();
  readonly #attached: Set<string>;
  readonly #phases: Transfer["phases"] = [];
  #copied: StateCopy;
  readonly #moved = new Map<string, MovableClient>();
  readonly #line: DestinationLine;
  /** Of a deterministic room, while the destination steps along. */
  #handOver: HandOverInStep | undefined;
  /** Wakes whoever waits for players to arrive. */
  #attachedChanged: (() => void) | undefined;
  #rounds = 0;
  #lastPatchAtMs: number;
  #state: State = { name: "copying" };
  #detach: (() => void)[] = [];

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#lastPatchAtMs = options.now();
    const { destination, promoted, deadlineMs, now } = options;
    this.#copied = promoted?.copied ?? new StateCopy(options.room);
    this.#line = new DestinationLine({
      destination,
      deadlineMs,
      now,
      onUnasked: (message) => this.#hear(message),
      onFailed: () => {
        this.#attachedChanged?.();
        this.#handOver?.fail();
      },
    });
    this.#attached = new Set(promoted?.attached);
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
      await this.#playersConnected();
      await this.#copyDirty();
      await this.#untilQuiet();
      const handedOver = isDeterministic(room) ? await this.#handOverInStep() : undefined;
      const hashes = handedOver?.hashes ?? (await this.#freeze());
      this.#phase("releasing");
      this.release();
      return {
        bytes: this.#line.bytes,
        rounds: this.#rounds,
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
      else forwardStockClient(socket, this.#playerUrl(client), late);
    }
    this.#options.room.move.release();
    this.#line.trySend({ type: "released" });
    setTimeout(() => {
      for (const socket of sockets) socket.close(CLOSE_ROOM_MOVED, "room moved");
      this.#moved.clear();
      this.#line.close();
    }, LINGER_MS).unref();
  }

  #playerUrl(client: MovableClient): string {
    const { destination, room } = this.#options;
    const ticket = this.#tickets.get(client.sessionId) ?? "";
    const network = this.#options.networkOf(client.sessionId);
    return `${playerUrl(destination, room.roomId, client.sessionId, network)}&ticket=${ticket}`;
  }

  #invite(client: MovableClient): void {
    if (this.#tickets.has(client.sessionId)) return;
    const ticket = randomBytes(16).toString("base64url");
    this.#tickets.set(client.sessionId, ticket);
    this.#line.send({ type: "invite", invitations: [{ sessionId: client.sessionId, ticket }] });
    const { hostId, name, latitude, longitude } = this.#options.destination;
    client.link.control({
      type: "moving",
      migrationId: this.#options.migrationId,
      epoch: this.#options.epoch,
      url: this.#playerUrl(client),
      ticket,
      host: { hostId, name, latitude, longitude },
      ...(this.#options.promoted !== undefined && { promotes: true }),
    });
    client.link.retain();
  }

  #watch(): void {
    const { room } = this.#options;
    const { events, patches } = room.move;
    this.#detach.push(
      patches.onBefore(() => this.#copied.collect()),
      patches.onAfter(() => {
        this.#lastPatchAtMs = this.#options.now();
      }),
    );
    const onJoin = (client: MovableClient): void => this.#invite(client);
    const onLeave = (client: MovableClient): void => {
      this.#tickets.delete(client.sessionId);
      this.#line.trySend({ type: "uninvite", sessionId: client.sessionId });
      this.#attachedChanged?.();
    };
    events.on("join", onJoin);
    events.on("leave", onLeave);
    this.#detach.push(() => {
      events.off("join", onJoin);
      events.off("leave", onLeave);
    });
  }

  #unwatch(): void {
    for (const detach of this.#detach.splice(0)) detach();
    this.#copied[Symbol.dispose]();
  }

  /** Everything there is of the room, to a destination that has nothing of it. */
  async #bring(): Promise<void> {
    await this.#line.connect();
    this.#begin();
    await this.#line.receive("ready");
    this.#phase("copying");
    this.#beginChanges();
    await this.#copy();
  }

  /** To a destination that has built the room from what it was fed with: what changes from here on. */
  #beginChanges(): void {
    this.#watch();
    for (const client of movableClients(this.#options.room)) this.#invite(client);
  }

  #begin(): void {
    const { options, room } = this.#options;
    const firstAnswers = room.move.firstAnswers.export();
    this.#line.send({ type: "begin", options, hasState: this.#copied.hasState, firstAnswers });
  }

  /** First pass: every node once, in slices, while the room runs and marks what it writes. */
  async #copy(): Promise<void> {
    let chunk: NodeRecord[] = [];
    let sliceEndsAt = this.#options.now() + COPY_SLICE_MS;
    for (const refId of this.#copied.takeDue()) {
      const record = this.#copied.read(refId);
      if (record === undefined) continue;
      chunk.push(record);
      if (chunk.length >= COPY_CHUNK_NODES || this.#options.now() >= sliceEndsAt) {
        this.#line.send({ type: "nodes", nodes: chunk });
        chunk = [];
        await nextLoop();
        this.#line.check();
        sliceEndsAt = this.#options.now() + COPY_SLICE_MS;
      }
    }
    if (chunk.length > 0) this.#line.send({ type: "nodes", nodes: chunk });
    this.#rounds++;
    this.#line.send({ type: "built" });
    await this.#line.receive("built");
  }

  /** Further passes over what was written meanwhile, so that little is left for the freeze. */
  async #copyDirty(): Promise<void> {
    for (let pass = 0; pass < MAX_DIRTY_PASSES && this.#copied.dueCount > FREEZE_NODES; pass++) {
      const refIds = this.#copied.takeDue();
      for (let at = 0; at < refIds.length; at += COPY_CHUNK_NODES) {
        const nodes = this.#copied.readAll(refIds.slice(at, at + COPY_CHUNK_NODES));
        this.#line.send({ type: "nodes", nodes });
        await nextLoop();
        this.#line.check();
      }
      this.#rounds++;
    }
  }

  async #playersConnected(): Promise<void> {
    const missing = (): boolean =>
      movableClients(this.#options.room).some(
        (client) => client.link.centroid && client.link.connected && !this.#attached.has(client.sessionId),
      );
    const until = this.#options.now() + CONNECT_TIMEOUT_MS;
    while (missing() && this.#options.now() < until) {
      await this.#wakeUp(until - this.#options.now());
      this.#line.check();
    }
  }

  #wakeUp(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#attachedChanged = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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
      copied: this.#copied,
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
    this.#copied[Symbol.dispose]();
    this.#copied = new StateCopy(this.#options.room);
    this.#phase("copying");
    this.#begin();
    await this.#line.receive("ready");
    await this.#copy();
    await this.#copyDirty();
    await this.#untilQuiet();
  }

  /** Everything in here up to the send is one synchronous step: no message and no tick can come between. */
  async #freeze(): Promise<Hashes> {
    const { room } = this.#options;
    room.broadcastPatch();
    this.#copied.assertCurrent();
    const { nodes, removed } = this.#copied.rest();
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
      nextRefId: this.#copied.nextRefId,
      stateHash: this.#copied.hash,
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
    return { stateHashBefore: this.#copied.hash, stateHashAfter: accepted.stateHash };
  }

  #hear(message: Unasked): void {
    switch (message.type) {
      case "attached":
        this.#attached.add(message.sessionId);
        this.#attachedChanged?.();
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
