/**
 * The side of a hand-off that gets the room: builds it passive under the same id, applies what the source
 * copies, and runs it from the moment the rest has arrived and its hash agrees.
 */
import { setImmediate as nextLoop } from "node:timers/promises";
import { CentroidError } from "@centroid/protocol";
import { AwaitedPlayers } from "../checkpoint/awaited-players.js";
import type { FirstAnswer } from "../colyseus/first-answers.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { SessionRecord } from "../colyseus/room-record.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import type { FedRoom, PromotedCopy } from "../standby/standby.js";
import { ReceivedState, type Rest } from "../transfer/received-state.js";
import { ArrivingPlayers, CLOSE_CANCELLED, type Returning } from "./arriving-players.js";
import { FollowedRoom } from "./followed-room.js";
import type { FromDestination, FromSource } from "./handoff-wire.js";
import { SourceLine } from "./source-line.js";

/** Nodes of a standby that are put in place at once; then other rooms of this host have a turn. */
const CHUNK_NODES = 256;

export interface DestinationOptions {
  migrationId: string;
  epoch: number;
  createRoom: (options: unknown, answers: readonly FirstAnswer[] | undefined) => Promise<MovableRoom>;
  onSessions: (
    sessions: readonly { sessionId: string; playerId: string | undefined; network: string | undefined }[],
  ) => void;
  /** The room runs here from now on. */
  onOwned: (
    room: MovableRoom,
    clients: Map<string, MovableClient>,
    awaited: AwaitedPlayers | undefined,
  ) => void;
  /** Its time goes on. */
  onResumed: (room: MovableRoom) => void;
  /** A destination that is not the owner by then gives up. */
  deadlineMs: number;
  onEnded: (error: CentroidError) => void;
  /** False while this host's lease is over. */
  mayRun: () => boolean;
  now: () => number;
}

type StepEvents = Extract<FromSource, { type: "log" }>["events"];
type State =
  | { name: "waiting" }
  /** `fed` while its source has not come, and what the room's standby gets is put in place. */
  | { name: "building"; room: MovableRoom; received: ReceivedState; fed: boolean }
  | { name: "following"; followed: FollowedRoom }
  | { name: "owner"; room: MovableRoom; clients: Map<string, MovableClient> }
  | { name: "ended" };

/**
 * uWebSockets.js keeps what is sent within a callback of its own, and in what that resolves, until its end: the source
 * would learn that the room runs here only after the room's first step and patch.
 */
const untilFlushed = nextLoop;

export class HandoffDestination {
  readonly #options: DestinationOptions;
  readonly #players: ArrivingPlayers;
  #state: State = { name: "waiting" };
  readonly #deadline: NodeJS.Timeout;
  readonly #line: SourceLine;

  constructor(options: DestinationOptions) {
    this.#options = options;
    const { migrationId, epoch, now } = options;
    this.#line = new SourceLine({
      now,
      handle: (message, arrivedAtMs) => this.#handle(message, arrivedAtMs),
      onFailed: (cause) => this.#refuse(cause),
      onInvalid: (error) => this.#end(error),
      onGone: () => {
        if (this.#state.name === "owner") this.#players.nothingMore();
        else this.#end(new CentroidError("HOST_LOST", "the source went away before the switch"));
      },
    });
    this.#players = new ArrivingPlayers({
      migrationId,
      epoch,
      onAttached: (sessionId) => this.#send({ type: "attached", sessionId }),
      askSource: (sessionId, received) => {
        if (!this.#line.connected) return false;
        this.#send({ type: "replay", sessionId, received });
        return true;
      },
    });
    this.#deadline = setTimeout(
      () => this.#end(new CentroidError("MIGRATION_TIMEOUT", "the source did not bring the room in time")),
      options.deadlineMs,
    );
    this.#deadline.unref();
  }

  get state(): State["name"] {
    return this.#state.name;
  }

  /** The source's connection. Messages are handled one after the other, in order. */
  acceptSource(socket: ServerSocket): void {
    const expected = this.#state.name === "waiting" || (this.#state.name === "building" && this.#state.fed);
    if (this.#line.connected || !expected) {
      socket.close(CLOSE_CANCELLED, "this migration has its source already");
      return;
    }
    this.#line.accept(socket);
  }

  /**
   * Builds the room before its source comes, from what the standby here has of it; {@link feed} keeps it up.
   * @returns false if that fails: then the source brings the room as if there was no standby, and is told why it cannot
   */
  async build(standby: FedRoom): Promise<boolean> {
    const built = this.#buildFrom(standby).catch(() => {
      if (this.#state.name === "building") this.#giveUp(this.#state.room);
    });
    await this.#line.waitFor(built);
    return this.state === "building";
  }

  /** What the standby got since. */
  feed({ nodes, removed }: Pick<Rest, "nodes" | "removed">): void {
    this.#line.afterThat(() => {
      const state = this.#state;
      if (state.name !== "building" || !state.fed) return;
      state.received.write(nodes);
      state.received.forget(removed);
    });
  }

  /** The source goes on over the feed of the standby that it has kept here, after all that the standby got. */
  acceptPromoted({ feed, players }: PromotedCopy): void {
    if (this.#state.name === "building") this.acceptSource(feed);
    else feed.close(CLOSE_CANCELLED, "the room was not built here");
    if (!this.#line.isBy(feed)) {
      // Nobody else has them any more: left open, they would wait for ever.
      for (const socket of players.values()) socket.close(CLOSE_CANCELLED, "the room does not come");
      return;
    }
    for (const [sessionId, socket] of players) this.#players.expect(socket, sessionId);
    this.#line.inTurn(() => {
      if (this.#state.name === "building") this.#state = { ...this.#state, fed: false };
    });
  }

  /** As if the source had said all that its standby was fed with. */
  async #buildFrom({ begin, nodes }: FedRoom): Promise<void> {
    const say = (message: FromSource): Promise<void> => this.#handle(message, this.#options.now());
    await say({ ...begin, type: "begin" });
    if (this.#state.name === "building") this.#state = { ...this.#state, fed: true };
    for (let at = 0; at < nodes.length; at += CHUNK_NODES) {
      await say({ type: "nodes", nodes: nodes.slice(at, at + CHUNK_NODES) });
      await nextLoop();
    }
    await say({ type: "built" });
  }

  /** A player's socket with the ticket from its invitation. False if it is not expected here. */
  acceptPlayer(socket: ServerSocket, sessionId: string, ticket: string): boolean {
    return this.#state.name !== "ended" && this.#players.accept(socket, sessionId, ticket);
  }

  /** A player whose gateway was lost with the invitation. False if it is not expected here. */
  acceptReturn(socket: ServerSocket, returning: Returning): boolean {
    return this.#players.acceptReturn(socket, returning);
  }

  /** @returns false if the room already runs here. */
  abort(): boolean {
    if (this.#state.name === "owner") return false;
    this.#end(new CentroidError("MIGRATION_FAILED", "the move was called off"));
    return true;
  }

  async #handle(message: FromSource, arrivedAtMs: number): Promise<void> {
    const state = this.#state;
    if (state.name === "ended") return;
    switch (message.type) {
      case "begin": {
        // The source has given up that it follows, or has lost its standby here.
        if (state.name === "following") this.#giveUp(state.followed.room);
        else if (state.name === "building" && state.fed) this.#giveUp(state.room);
        else if (state.name !== "waiting") throw new CentroidError("FRAME_INVALID", "begin twice");
        const room = await this.#options.createRoom(message.options, message.firstAnswers);
        room.move.clock.hold();
        room.autoDispose = false;
        await this.#warm(room);
        if (this.state === "ended") {
          room.move.release();
          return;
        }
        const { encoder } = room.move.snapshot;
        if (message.hasState !== (encoder !== undefined)) {
          room.move.release();
          throw new CentroidError(
            "ROOM_ERROR",
            "the room has a state on one host only; set it in onCreate() or as a field, and run the same rooms on both",
          );
        }
        this.#state = { name: "building", room, received: new ReceivedState(room), fed: false };
        this.#send({ type: "ready" });
        return;
      }
      case "invite":
        this.#players.invite(message.invitations);
        return;
      case "uninvite":
        this.#players.uninvite(message.sessionId);
        return;
      case "nodes":
        if (state.name === "building") state.received.write(message.nodes);
        return;
      case "built":
        if (state.name !== "building") return;
        state.received.build();
        this.#send({ type: "built" });
        return;
      case "freeze":
        if (state.name !== "building") throw new CentroidError("FRAME_INVALID", "freeze before begin");
        await untilFlushed();
        if (this.#state === state) await this.#take(state, message, arrivedAtMs);
        return;
      case "follow":
        if (state.name !== "building") throw new CentroidError("FRAME_INVALID", "follow before begin");
        await this.#beginToFollow(state, message);
        return;
      case "log":
        if (state.name === "following") await this.#follow(state.followed, message.events);
        return;
      case "take-over":
        if (state.name !== "following") return;
        await untilFlushed();
        if (this.#state === state) await this.#takeOver(state.followed, message, arrivedAtMs);
        return;
      case "replayed":
        this.#players.replayed(message.sessionId, message.frames);
        return;
      case "released":
        return;
      case "abort":
        if (state.name !== "owner")
          this.#end(new CentroidError("MIGRATION_FAILED", "the source called the move off"));
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** Whatever works for the room is ready before the room stands still. @throws CentroidError ROOM_ERROR */
  async #warm(room: MovableRoom): Promise<void> {
    try {
      await room.move.work.warm();
    } catch (cause) {
      room.move.release();
      throw new CentroidError("ROOM_ERROR", CentroidError.from(cause).message, { cause });
    }
  }

  async #take(
    state: Extract<State, { name: "building" }>,
    message: Extract<FromSource, { type: "freeze" }>,
    arrivedAtMs: number,
  ): Promise<void> {
    const { room } = state;
    this.#assertMayRun();
    const { clients, stateHash } = await this.#complete(state, message);
    if (this.state === "ended") return;
    this.#own(room, clients, message.room.sessions, stateHash);
    const patchRateMs = room.patchRate ?? 0;
    const stoodStillMs = message.sinceTickMs + this.#options.now() - arrivedAtMs;
    room.move.backlog.begin(stoodStillMs);
    room.move.clock.resume(patchRateMs - stoodStillMs);
    this.#options.onResumed(room);
    for (const session of message.room.sessions) {
      const client = clients.get(session.sessionId);
      if (client !== undefined && session.dropped) room.move.dropAgain(client, session);
    }
  }

  /** A broker that has lost this host may have given the room to a third by the time it is here. */
  #assertMayRun(): void {
    if (this.#options.mayRun()) return;
    throw new CentroidError(
      "ROOM_ERROR",
      "the destination has lost contact with every broker; move the room later",
    );
  }

  /** Puts what was missing in place. @throws CentroidError */
  async #complete(
    { room, received }: Extract<State, { name: "building" }>,
    message: Extract<FromSource, { type: "freeze" | "follow" }>,
  ): Promise<{ clients: Map<string, MovableClient>; stateHash: string }> {
    const stateHash = received.finish(message);
    if (stateHash !== message.stateHash)
      throw new CentroidError(
        "ROOM_ERROR",
        `state differs after the copy: ${message.stateHash} there, ${stateHash} here`,
      );
    this.#options.onSessions([...message.room.sessions, ...message.room.seats]);
    const clients = await room.move.snapshot.import(message.room);
    room.move.snapshot.assertWhole(message.room);
    return { clients, stateHash };
  }

  /** From here on the room is this host's. */
  #own(
    room: MovableRoom,
    clients: Map<string, MovableClient>,
    sessions: readonly SessionRecord[],
    stateHash: string,
  ): void {
    clearTimeout(this.#deadline);
    this.#state = { name: "owner", room, clients };
    this.#send({ type: "accepted", stateHash });
    this.#players.count(clients);
    const awaited = AwaitedPlayers.after(room, clients, sessions, { epoch: this.#options.epoch });
    this.#options.onOwned(room, clients, awaited);
    const away = new Set(sessions.filter(({ dropped }) => dropped).map(({ sessionId }) => sessionId));
    this.#players.settle(room, clients, away);
  }

  /** The room is whole here and goes on at its source: it does the same here, a little later. */
  async #beginToFollow(
    state: Extract<State, { name: "building" }>,
    message: Extract<FromSource, { type: "follow" }>,
  ): Promise<void> {
    const { room } = state;
    const { clients } = await this.#complete(state, message);
    if (this.state === "ended") return;
    const { sessions } = message.room;
    const onAgreed = (number: number): void => this.#send({ type: "agreed", number });
    this.#state = { name: "following", followed: new FollowedRoom({ room, clients, sessions, onAgreed }) };
  }

  /** @returns false if the room is another here, and given up */
  async #follow(followed: FollowedRoom, events: StepEvents): Promise<boolean> {
    const difference = await followed.follow(events);
    if (difference === undefined) return this.state === "following";
    if (this.state === "following") {
      this.#giveUp(followed.room);
      this.#send({ type: "differs", ...difference });
    }
    return false;
  }

  /** The room can be brought anew. */
  #giveUp(room: MovableRoom): void {
    this.#state = { name: "waiting" };
    room.move.release();
  }

  async #takeOver(
    followed: FollowedRoom,
    { events, dueInMs, withoutInputMs }: Extract<FromSource, { type: "take-over" }>,
    arrivedAtMs: number,
  ): Promise<void> {
    const { room, clients, sessions } = followed;
    this.#assertMayRun();
    if (!(await this.#follow(followed, events))) return;
    this.#own(room, clients, sessions, followed.leadItself());
    const resume = (): void => {
      const lateMs = Math.max(0, this.#options.now() - arrivedAtMs - dueInMs);
      room.move.backlog.begin(withoutInputMs + lateMs);
      room.move.clock.resume((room.patchRate ?? 0) - lateMs);
      this.#options.onResumed(room);
    };
    const waitMs = arrivedAtMs + dueInMs - this.#options.now();
    if (waitMs > 0) setTimeout(resume, waitMs);
    else resume();
  }

  #refuse(cause: unknown): void {
    const error = CentroidError.from(cause);
    if (this.#state.name === "owner" || this.#state.name === "ended") return;
    this.#send({
      type: "refused",
      error: error.code === "INTERNAL" ? { ...error.toWire(), code: "ROOM_ERROR" } : error.toWire(),
    });
    this.#end(error);
  }

  #end(error: CentroidError): void {
    const state = this.#state;
    clearTimeout(this.#deadline);
    if (state.name === "ended" || state.name === "owner") return;
    this.#state = { name: "ended" };
    if (state.name === "building") state.room.move.release();
    else if (state.name === "following") state.followed.room.move.release();
    this.#players.dismiss();
    this.#line.close();
    this.#options.onEnded(error);
  }

  #send(message: FromDestination): void {
    this.#line.send(message);
  }
}
