/**
 * Rooms that are being created or restored, which takes as long as the author's code does. Whoever waited too long
 * for one may have had it built elsewhere: one that is called off meanwhile ends before it runs, or it would run twice.
 */
import { CentroidError } from "@centroid/protocol";

export class RoomBuilds {
  readonly #building = new Map<string, { readonly epoch: number; calledOff: boolean }>();

  /**
   * @param end undoes what was built
   * @param look asked when it is built: whether it was called off shows there at the latest
   * @throws CentroidError BAD_REQUEST if it is being built already; STALE_EPOCH if it was called off meanwhile
   */
  async build<T>(
    roomId: string,
    epoch: number,
    build: () => Promise<T>,
    end: (built: T) => void | Promise<void>,
    look: () => void = () => undefined,
  ): Promise<T> {
    if (this.#building.has(roomId))
      throw new CentroidError("BAD_REQUEST", `room ${roomId} is being built here already`);
    const building = { epoch, calledOff: false };
    this.#building.set(roomId, building);
    let built: T;
    try {
      built = await build();
      look();
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
    if (building !== undefined && epoch >= building.epoch) building.calledOff = true;
  }

  /** This host may not run rooms just now: whoever ordered one has to have it built elsewhere. */
  callOffAll(): void {
    for (const building of this.#building.values()) building.calledOff = true;
  }
}
