/** Time in a room: its simulation, timers and patches stand still together and go on together. */
import type { Room } from "@colyseus/core";
import { internals } from "./core-internals.js";
import { FixedSteps } from "./fixed-steps.js";

/** How the author's simulation is started anew: in fixed steps, or with one out of turn. */
export type Simulation = { arm: () => void } & (
  | { stepMs: number; stepNow?: never }
  | { stepMs?: never; stepNow: () => void }
);

/** Time in a room as another host has to go on with it. */
export interface ClockRecord {
  elapsedMs: number;
  fixedTick: number;
  /** How much of the next fixed step had passed. */
  stepPassedMs?: number;
}

export class RoomClock {
  readonly #room: Room;
  readonly steps: FixedSteps;
  #simulation: Simulation | undefined;
  #mayRun: () => boolean = () => true;
  #held = false;
  /** Who drives the room from outside, while it is held, goes on now. */
  #driving = 0;
  #inStep = false;
  /** The room has ended here. */
  #over = false;
  readonly #resumed = new Set<() => void>();
  /** Asked at each turn of fixed steps, while something is to be caught up with: steps wanted beside the one that is due. */
  #extraSteps: (() => number) | undefined;

  constructor(room: Room) {
    this.#room = room;
    this.steps = new FixedSteps(() => room.clock.elapsedTime);
    internals(room)._events.once("dispose", () => {
      this.#over = true;
    });
  }

  get held(): boolean {
    return this.#held;
  }

  /** Length of a fixed step; undefined if the room has none. */
  get stepMs(): number | undefined {
    return this.#simulation?.stepMs;
  }

  /** @param mayRun asked before each step: a process that stood still for long finds out here that its lease is over */
  runsWhile(mayRun: () => boolean): void {
    this.#mayRun = mayRun;
  }

  /** The author's simulation from now on, in place of an earlier one. */
  simulate(simulation: Simulation): void {
    this.#simulation = simulation;
    simulation.arm();
    this.steps.begun(0);
  }

  /** True if the room may not take its next step. */
  standsStill(): boolean {
    return this.#driving === 0 && (this.#held || !this.#mayRun());
  }

  get mayRun(): boolean {
    return this.#mayRun();
  }

  /** Held, and driven step by step from outside until it is resumed. */
  get inStep(): boolean {
    return this.#inStep;
  }

  /** Holds the room, to be driven from outside: its steps begin anew with what had passed of the next one. */
  driveInSteps(): void {
    const { tick, passedMs } = this.steps;
    this.hold();
    this.#inStep = true;
    this.#simulation?.arm();
    this.steps.begun(tick, passedMs);
  }

  /** What the room does in here it does as if it were not held. */
  drive<T>(run: () => T): T {
    this.#driving++;
    try {
      return run();
    } finally {
      this.#driving--;
    }
  }

  /** One turn of the simulation's timer, in which one whole step has passed: of more, rounding might leave one over. */
  turn(): void {
    const { clock } = this.#room;
    const { _simulationInterval: simulation } = internals(this.#room);
    const passedMs = this.stepMs ?? 0;
    const held = clock.tick;
    clock.tick = () => {
      Reflect.deleteProperty(clock, "tick");
      const inside = clock as unknown as { now: () => number };
      const { now } = inside;
      // By what is on it, and not by a difference of large numbers: it has to be the same everywhere.
      inside.now = () => passedMs;
      clock.currentTime = 0;
      try {
        clock.tick();
      } finally {
        inside.now = now;
        clock.currentTime = now();
        clock.tick = held;
      }
    };
    try {
      this.drive(() => simulation?._onTimeout());
    } finally {
      clock.tick = held;
    }
  }

  export(): ClockRecord {
    return {
      elapsedMs: this.#room.clock.elapsedTime,
      fixedTick: this.steps.tick,
      ...(this.stepMs !== undefined && { stepPassedMs: this.steps.passedMs }),
    };
  }

  /** Sets time to what it was on another host. Only while held. */
  set({ elapsedMs, fixedTick, stepPassedMs = 0 }: ClockRecord): void {
    this.#room.clock.elapsedTime = elapsedMs;
    this.steps.begun(fixedTick, stepPassedMs);
  }

  /** Stops time in the room: no step, no patch, no timer until {@link resume}. */
  hold(): void {
    const { clock } = this.#room;
    this.#held = true;
    clock.tick = () => {
      clock.deltaTime = 0;
    };
  }

  /** Called each time that the room goes on here after it stood still. */
  onResumed(listener: () => void): void {
    this.#resumed.add(listener);
  }

  /** Time goes on, without counting what passed while held. `firstTickInMs` aligns the next patch. */
  resume(firstTickInMs?: number): void {
    // Timers that are begun now nobody would end.
    if (this.#over) return;
    const { clock } = this.#room;
    this.#held = false;
    this.#inStep = false;
    this.#tickWhole();
    clock.currentTime = (clock as unknown as { now(): number }).now();
    for (const listener of this.#resumed) listener();
    if (firstTickInMs === undefined) return;
    if (this.stepMs !== undefined) this.#goOnStepping();
    const start = (): void => {
      if (this.#over || this.#held) return;
      if (this.#simulation?.stepNow !== undefined) {
        this.#simulation.arm();
        this.#simulation.stepNow();
      }
      this.#room.patchRate = this.#room.patchRate;
      this.#room.broadcastPatch();
    };
    if (firstTickInMs <= 0) start();
    else setTimeout(start, firstTickInMs);
  }

  /**
   * Time runs faster while `extraSteps` says that steps are owed. Undefined ends it.
   * @param extraSteps asked at each turn
   */
  catchUp(extraSteps: (() => number) | undefined): void {
    this.#extraSteps = extraSteps;
    if (!this.#held) this.#tickWhole();
  }

  /** Fixed steps do not wait for a patch, and begin with what had passed of the next. */
  #goOnStepping(): void {
    const { tick, passedMs } = this.steps;
    this.#simulation?.arm();
    this.steps.begun(tick, passedMs);
    const { clock } = this.#room;
    clock.tick = () => {
      this.#tickWhole();
      clock.tick();
      clock.deltaTime += passedMs;
    };
  }

  #tickWhole(): void {
    const { clock } = this.#room;
    Reflect.deleteProperty(clock, "tick");
    const extraSteps = this.#extraSteps;
    const stepMs = this.stepMs;
    if (extraSteps === undefined || stepMs === undefined) return;
    const tick = clock.tick.bind(clock);
    clock.tick = () => {
      clock.currentTime -= extraSteps() * stepMs;
      tick();
    };
  }
}
