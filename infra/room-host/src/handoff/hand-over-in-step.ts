/**
 * The source's part in handing a deterministic room over without a freeze: the destination gets the room as it is at some
 * patch, does after it what drives it here, and takes over at an agreed step. Until that is agreed nothing is decided.
 */
import type { InStep } from "@centroid/protocol";
import { Lockstep } from "../colyseus/lockstep.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import { type HandOver, Leader } from "../in-step/leader.js";
import { digestRoom, type RoomDigest } from "../transfer/room-digest.js";
import type { StateCopy } from "../transfer/state-copy.js";
import type { DestinationLine } from "./destination-line.js";

/** Of the state, at the last step here and at the same one there. */
export interface Hashes {
  stateHashBefore: string;
  stateHashAfter: string;
}

export interface HandOverInStepOptions {
  room: MovableRoom;
  line: DestinationLine;
  copied: StateCopy;
  migrationId: string;
  epoch: number;
  /** From here on the destination decides. */
  onHandingOver: () => void;
  now: () => number;
}

export class HandOverInStep {
  readonly #options: HandOverInStepOptions;
  readonly #detach: (() => void)[] = [];
  readonly #over: Promise<InStep>;
  #resolve: (how: InStep) => void = () => undefined;
  #leader: Leader<RoomDigest> | undefined;
  #accepted = "";
  #last = "";
  #taken: InStep | undefined;

  constructor(options: HandOverInStepOptions) {
    this.#options = options;
    this.#over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get hashes(): Hashes {
    return { stateHashBefore: this.#last, stateHashAfter: this.#accepted };
  }

  /** To be called right after a patch. Resolves when the destination has the room, or will not have it in this way. */
  async run(): Promise<InStep> {
    const { room, copied, line } = this.#options;
    room.broadcastPatch();
    copied.assertCurrent();
    const { nodes, removed } = copied.rest();
    const { nextRefId, hash: stateHash } = copied;
    line.send({ type: "follow", nodes, removed, nextRefId, stateHash, room: room.move.snapshot.export() });
    this.#lead();
    try {
      return await this.#over;
    } finally {
      this.#unwatch();
    }
  }

  /** The destination was the same at that digest. */
  agreed(number: number): void {
    this.#leader?.agreed(number);
  }

  /** The destination has given up. */
  differs({ part, step }: { part: string; step: number }): void {
    this.#fallBack(`${part} differed after ${step} steps`);
  }

  /** The line is broken: whoever waits finds out why. What was announced is done all the same. */
  fail(): void {
    if (this.#leader?.state === "leading") this.#leader.end();
    this.#resolve({ outcome: "fell-back", reason: "the connection broke" });
  }

  /** The room is the destination's, or goes on here. */
  end(): void {
    this.#leader?.end();
    this.#unwatch();
  }

  #lead(): void {
    const { room, now } = this.#options;
    const { clock, activity } = room.move;
    const { passedMs } = clock.steps;
    const leader = new Leader<RoomDigest>({
      driven: new Lockstep(room),
      digest: () => digestRoom(room),
      stepMs: clock.stepMs ?? 0,
      passedMs,
      patchRateMs: room.patchRate || undefined,
      mayRun: () => clock.mayRun,
      mayHandOver: () => !activity.busy,
      now,
      setTimer: (run, afterMs) => {
        const timer = setTimeout(run, afterMs);
        return () => clearTimeout(timer);
      },
      onLog: (events) => this.#options.line.trySend({ type: "log", events: [...events] }),
      onHandingOver: (handOver) => this.#handingOver(handOver),
      onGone: () => this.#gone(),
      onGaveUp: (reason) => this.#fallBack(reason),
    });
    this.#leader = leader;
    for (const client of movableClients(room)) this.#log(client, leader);
    const { events } = room.move;
    const onChange = (): void => leader.giveUp("a player joined or left meanwhile");
    events.on("join", onChange);
    events.on("leave", onChange);
    this.#detach.push(() => {
      events.off("join", onChange);
      events.off("leave", onChange);
    });
  }

  /** Before the room hears it. */
  #log({ sessionId, link }: MovableClient, leader: Leader<RoomDigest>): void {
    const onMessage = (frame: Buffer): void => leader.frame(sessionId, Buffer.from(frame));
    link.prependListener("message", onMessage);
    this.#detach.push(() => link.off("message", onMessage));
  }

  #handingOver({ events, dueInMs, withoutInputMs, steps, agreed }: HandOver<RoomDigest>): void {
    const { room, line, onHandingOver } = this.#options;
    onHandingOver();
    for (const { link } of movableClients(room)) link.freeze();
    line.trySend({ type: "take-over", events: [...events], dueInMs, withoutInputMs });
    line.receive("accepted").then(
      ({ stateHash }) => {
        this.#accepted = stateHash;
        this.#decide({ outcome: "taken-over", steps, agreed });
      },
      () => this.fail(),
    );
  }

  /** The last step and the last patch of the room here. */
  #gone(): void {
    const { room, migrationId, epoch } = this.#options;
    this.#last = digestRoom(room).state;
    for (const { link } of movableClients(room))
      link.control({ type: "moved", migrationId, epoch, sent: link.sent });
    if (this.#taken !== undefined) this.#resolve(this.#taken);
  }

  /** It may be there before the last step is done here. */
  #decide(taken: InStep): void {
    this.#taken = taken;
    if (this.#leader?.state === "gone") this.#resolve(taken);
  }

  /** The room goes on here. */
  #fallBack(reason: string): void {
    const { room } = this.#options;
    this.#leader?.end();
    const rate = room.patchRate ?? 0;
    room.move.clock.resume(rate);
    for (const { link } of movableClients(room)) link.thaw();
    this.#resolve({ outcome: "fell-back", reason });
  }

  #unwatch(): void {
    for (const detach of this.#detach.splice(0)) detach();
  }
}
