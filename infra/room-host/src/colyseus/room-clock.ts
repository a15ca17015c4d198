/** Time in a room: its simulation, timers and patches stand still together and go on together. */
import type { Room } from "@colyseus/core";
import { internals } from "./core-internals.js";

/** How the author's simulation is run: started anew, and one step of it out of turn. */
export interface Simulation {
  arm: () => void;
  stepNow: () => void;
}

export class RoomClock {
  readonly #room: Room;
  #simulation: Simulation | undefined;
  #mayRun: () => boolean = () => true;
  #held = false;
  #fixedTick = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The number of the next fixed step. */
  get fixedTick(): number {
    return this.#fixedTick;
  }

  /** @param mayRun asked before each step: a process that stood still for long finds out here that its lease is over */
  runsWhile(mayRun: () => boolean): void {
    this.#mayRun = mayRun;
  }

  /** The author's simulation from now on, in place of an earlier one. */
  simulate(simulation: Simulation): void {
    this.#simulation = simulation;
    simulation.arm();
  }

  takeFixedTick(): number {
    return this.#fixedTick++;
  }

  /** True if the room may not take its next step. */
  standsStill(): boolean {
    return this.#held || !this.#mayRun();
  }

  /** Sets time to what it was on another host. Only while held. */
  set(elapsedMs: number, fixedTick: number): void {
    this.#room.clock.elapsedTime = elapsedMs;
    this.#fixedTick = fixedTick;
  }

  /** Stops time in the room: no step, no patch, no timer until {@link resume}. */
  hold(): void {
    this.#held = true;
    this.#room.clock.tick = () => undefined;
  }

  /** Time goes on, without counting what passed while held. `firstTickInMs` aligns the next patch. */
  resume(firstTickInMs?: number): void {
    const { clock } = this.#room;
    this.#held = false;
    Reflect.deleteProperty(clock, "tick");
    clock.currentTime = (clock as unknown as { now(): number }).now();
    if (firstTickInMs === undefined) return;
    const start = (): void => {
      if (internals(this.#room)._listing === undefined || this.#held) return;
      this.#simulation?.arm();
      this.#simulation?.stepNow();
      this.#room.patchRate = this.#room.patchRate;
      this.#room.broadcastPatch();
    };
    if (firstTickInMs <= 0) start();
    else setTimeout(start, firstTickInMs);
  }
}
