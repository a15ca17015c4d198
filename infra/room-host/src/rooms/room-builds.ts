/**
 * Rooms that are being created or restored, which takes as long as the author's code does. Whoever waited too long
 * for one may have had it built elsewhere: one that is called off meanwhile ends before it runs, or it would run twice.
 */
import { CentroidError } from "@centroid/protocol";

export class RoomBuilds {
  readonly #mayRun: () => boolean;
  readonly #building = new Map<string, { readonly epoch: number; calledOff: boolean }>();
  /** Woken when something is known of rooms that are built. */
  readonly #waiting = new Set<() => void>();

  /** @param mayRun this host may run rooms just now */
  constructor(mayRun: () => boolean) {
    this.#mayRun = mayRun;
  }

  /**
   * Resolves once this host may run the room.
   * @param end undoes what was built
   * @throws CentroidError BAD_REQUEST if it is being built already; STALE_EPOCH if it was called off meanwhile
   */
  async build<T>(
    roomId: string,
    epoch: number,
    build: () => Promise<T>,
    end: (built: T) => void | Promise<void>,
  ): Promise<T> {
    if (this.#building.has(roomId))
      throw new CentroidError("BAD_REQUEST", `room ${roomId} is being built here already`);
    const building = { epoch, calledOff: false };
    this.#building.set(roomId, building);
    let built: T;
    try {
      built = await build();
      // What kept this process busy kept it from reading, too, that it may go on, or that the room was called off.
      while (!building.calledOff && !this.#mayRun())
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
    } finally {
      this.#building.delete(roomId);
    }
    if (!building.calledOff) return built;
    await end(built);
    throw new CentroidError("STALE_EPOCH", `room ${roomId} was called off while it was being built`);
  }

  /** The room, up to this epoch, is not wanted here. */
  callOff(roomId: string, epoch: number): void {
    const building = this.#building.get(roomId);
    if (building === undefined || epoch < building.epoch) return;
    building.calledOff = true;
    this.wake();
  }

  /** There was a time when this host might not run rooms: whoever ordered one may have had it built elsewhere. */
  callOffAll(): void {
    for (const building of this.#building.values()) building.calledOff = true;
    this.wake();
  }

  /** This host may run rooms again. */
  wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
