/**
 * The host that has a deterministic room and gives it away: drives it by the clock, logs what drives it, and hands over
 * once the other host has kept up and agreed. For the last steps here it takes nothing from players any more, so that the
 * other host knows beforehand all that happens in them, is there at the agreed step when that is due, and runs the room from
 * then on.
 *
 *   leading -> handing-over -> gone          (leading -> gave-up; any -> ended)
 */
import type { Driven, StepEvent } from "./step-events.js";

/** More are not taken at once after the process has stood still, as Colyseus does it. */
const MAX_STEPS_A_TURN = 5;
/** How often both are compared, and how much of the time that may take. */
const DIGEST_EVERY_MS = 100;
const MAX_DIGEST_SHARE = 0.05;
/** So often in a row both have to agree. */
const AGREEMENTS = 3;
/** Round trips that differ by no more are steady: the other host keeps up. */
const STEADY_MS = 30;
/** It is not waited for longer than this, for steady round trips and in all. */
const UNSTEADY_MS = 1_500;
const GIVE_UP_MS = 4_000;
/** Of a step. */
const ROUNDING = 1e-6;
/** For what a message takes beyond its way. */
const SPARE_MS = 10;
/** Without inputs for longer than this a room is worse off than with a freeze. */
const MAX_LEAD_MS = 750;

export interface LeaderOptions<D> {
  driven: Driven;
  digest: () => D;
  stepMs: number;
  /** How much of the next step has passed. */
  passedMs: number;
  /** Undefined for a room that patches by itself. */
  patchRateMs: number | undefined;
  /** False while this host may not run the room: it stands still. */
  mayRun: () => boolean;
  /** False while something is under way in the room that cannot be handed over. */
  mayHandOver: () => boolean;
  now: () => number;
  /** @returns takes it back */
  setTimer: (run: () => void, afterMs: number) => () => void;
  onLog: (events: readonly StepEvent<D>[]) => void;
  /** From here on nothing that players say may reach the room. */
  onHandingOver: (handOver: HandOver<D>) => void;
  /** The room has done its last step here. */
  onGone: () => void;
  onGaveUp: (reason: string) => void;
}

export interface HandOver<D> {
  /** Until the agreed step. */
  events: readonly StepEvent<D>[];
  /** When the next step is due, counted from when this arrives. */
  dueInMs: number;
  /** So long the room takes nothing from its players. */
  withoutInputMs: number;
  /** Both hosts have taken so many steps, and agreed so often. */
  steps: number;
  agreed: number;
}

type State = "leading" | "handing-over" | "gone" | "gave-up" | "ended";

export class Leader<D> {
  readonly #options: LeaderOptions<D>;
  #state: State = "leading";
  /** Of `now()`: up to when the room has gone on. */
  #doneUntilMs: number;
  #sincePatchMs = 0;
  #steps = 0;
  #log: StepEvent<D>[] = [];
  readonly #sentAtMs = new Map<number, number>();
  #number = 0;
  #agreed = 0;
  #rttsMs: number[] = [];
  #digestDueAtMs: number;
  readonly #startedAtMs: number;
  #cancel: () => void = () => undefined;

  /** Drives the room from now on; a patch has just gone out. */
  constructor(options: LeaderOptions<D>) {
    this.#options = options;
    this.#startedAtMs = options.now();
    this.#doneUntilMs = this.#startedAtMs - options.passedMs;
    this.#digestDueAtMs = this.#startedAtMs;
    this.#wake(() => this.#lead());
  }

  get state(): State {
    return this.#state;
  }

  /** A client says something to the room, which has not heard it yet. */
  frame(sessionId: string, frame: Uint8Array): void {
    if (this.#state === "leading") this.#log.push({ type: "frame", sessionId, frame });
  }

  /** The other host was the same at this digest. */
  agreed(number: number): void {
    const sentAtMs = this.#sentAtMs.get(number);
    if (sentAtMs === undefined) return;
    this.#sentAtMs.delete(number);
    this.#agreed++;
    this.#rttsMs = [...this.#rttsMs, this.#options.now() - sentAtMs].slice(-AGREEMENTS);
  }

  /** Unless it is too late: then the other host alone decides. */
  giveUp(reason: string): void {
    if (this.#state !== "leading") return;
    this.#stop("gave-up");
    this.#options.onGaveUp(reason);
  }

  /** Somebody else drives the room, or nobody. */
  end(): void {
    this.#stop("ended");
  }

  #stop(state: State): void {
    this.#cancel();
    this.#state = state;
  }

  #wake(run: () => void): void {
    const { now, setTimer, stepMs } = this.#options;
    this.#cancel = setTimer(run, Math.max(0, this.#doneUntilMs + stepMs - now()));
  }

  #owedSteps(nowMs: number): number {
    // A timer that is due to the moment has come too early by a rounding error.
    return Math.floor((nowMs - this.#doneUntilMs) / this.#options.stepMs + ROUNDING);
  }

  #lead(): void {
    const { now, stepMs, mayRun } = this.#options;
    const nowMs = now();
    const owed = this.#owedSteps(nowMs);
    const steps = Math.min(owed, MAX_STEPS_A_TURN);
    this.#doneUntilMs = owed > steps || !mayRun() ? nowMs : this.#doneUntilMs + steps * stepMs;
    if (steps > 0 && mayRun()) this.#turn(steps);
    // What the turn itself brought about may have ended it.
    if (this.#state !== "leading") return;
    if (nowMs - this.#startedAtMs > GIVE_UP_MS) this.giveUp("the destination did not keep up");
    else this.#wake(() => this.#lead());
  }

  #turn(steps: number): void {
    const { onLog, now } = this.#options;
    const log = this.#log;
    this.#log = [];
    const done = this.#stepEvents(steps);
    for (const event of done) this.#do(event);
    log.push(...done);
    if (this.#state !== "leading") return;
    const handsOver = this.#mayHandOver();
    if (handsOver || now() >= this.#digestDueAtMs) {
      const compared = this.#compare();
      if (compared === undefined) return;
      log.push(compared);
    }
    if (handsOver) this.#handOver(log);
    else onLog(log);
  }

  /** One turn, and a patch if it is due after it. */
  #stepEvents(steps: number): StepEvent<D>[] {
    const { stepMs, patchRateMs } = this.#options;
    this.#sincePatchMs += steps * stepMs;
    const turn: StepEvent<D> = { type: "turn", steps };
    if (patchRateMs === undefined || this.#sincePatchMs < patchRateMs - stepMs / 2) return [turn];
    this.#sincePatchMs = 0;
    return [turn, { type: "patch" }];
  }

  #do(event: StepEvent<D>): void {
    const { driven } = this.#options;
    if (event.type === "turn") {
      driven.turn(event.steps);
      this.#steps += event.steps;
    } else if (event.type === "patch") driven.patch();
  }

  /** @returns undefined if the room cannot be read now, which ends this */
  #compare(): StepEvent<D> | undefined {
    const { digest: read, now } = this.#options;
    const beganAtMs = now();
    let digest: D;
    try {
      digest = read();
    } catch (cause) {
      this.giveUp(cause instanceof Error ? cause.message : String(cause));
      return undefined;
    }
    const endedAtMs = now();
    this.#sentAtMs.set(++this.#number, endedAtMs);
    const pauseMs = Math.max(DIGEST_EVERY_MS, (endedAtMs - beganAtMs) / MAX_DIGEST_SHARE);
    this.#digestDueAtMs = endedAtMs + pauseMs;
    return { type: "digest", number: this.#number, digest };
  }

  #mayHandOver(): boolean {
    const { now, mayHandOver } = this.#options;
    if (this.#rttsMs.length < AGREEMENTS || !mayHandOver()) return false;
    const steady = Math.max(...this.#rttsMs) - Math.min(...this.#rttsMs) <= STEADY_MS;
    return (steady || now() - this.#startedAtMs > UNSTEADY_MS) && this.#leadMs() <= MAX_LEAD_MS;
  }

  /** What a message may take to the other host, and what is done there with it. */
  #leadMs(): number {
    return Math.max(...this.#rttsMs) - Math.min(...this.#rttsMs) / 2 + SPARE_MS;
  }

  #handOver(log: readonly StepEvent<D>[]): void {
    const { now, stepMs, patchRateMs, onHandingOver } = this.#options;
    const plan: StepEvent<D>[] = [];
    const lastMs = now() + this.#leadMs();
    let endsAtMs = this.#doneUntilMs;
    // The last of it is a patch: the next is due a whole interval later, wherever the room is by then.
    while (endsAtMs < lastMs || (patchRateMs !== undefined && this.#sincePatchMs > 0)) {
      plan.push(...this.#stepEvents(1));
      endsAtMs += stepMs;
    }
    this.#state = "handing-over";
    const nowMs = now();
    onHandingOver({
      events: [...log, ...plan],
      dueInMs: endsAtMs - nowMs - Math.min(...this.#rttsMs) / 2,
      withoutInputMs: endsAtMs - nowMs,
      steps: this.#steps,
      agreed: this.#agreed,
    });
    if (this.#state === "handing-over") this.#wake(() => this.#finish(plan));
  }

  /** The steps that were announced, when they are due. */
  #finish(plan: StepEvent<D>[]): void {
    const { now, stepMs, onGone } = this.#options;
    while (plan.length > 0 && this.#owedSteps(now()) > 0) {
      this.#doneUntilMs += stepMs;
      do this.#do(plan.shift() as StepEvent<D>);
      while (plan[0]?.type === "patch");
    }
    if (this.#state !== "handing-over") return;
    if (plan.length > 0) this.#wake(() => this.#finish(plan));
    else {
      this.#stop("gone");
      onGone();
    }
  }
}
