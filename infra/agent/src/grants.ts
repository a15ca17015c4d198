/** What brokers' orders gave to this host: shown whenever it says that it runs such a room. */
import type { AgentRequest, RoomReport } from "@centroid/protocol";

export class Grants {
  readonly #byRoom = new Map<string, { epoch: number; grant: string }>();

  /** Orders under way, by room. */
  readonly #underWay = new Map<string, number>();

  /** An order begins, with a grant if it gives a room. */
  begin(order: AgentRequest, grant: string | undefined): void {
    const { roomId } = order;
    this.#underWay.set(roomId, (this.#underWay.get(roomId) ?? 0) + 1);
    if (grant !== undefined && "epoch" in order) this.#byRoom.set(roomId, { epoch: order.epoch, grant });
  }

  /**
   * The order is over. What was given is forgotten if the room is not here in any form and no other order may be
   * bringing it.
   */
  end({ roomId }: AgentRequest, isHere: boolean): void {
    const left = (this.#underWay.get(roomId) ?? 1) - 1;
    if (left > 0) {
      this.#underWay.set(roomId, left);
      return;
    }
    this.#underWay.delete(roomId);
    if (!isHere) this.#byRoom.delete(roomId);
  }

  /** The room is not here any more at this epoch; by then a later order may have brought it back. */
  forget(roomId: string, epoch: number): void {
    if ((this.#byRoom.get(roomId)?.epoch ?? epoch) <= epoch) this.#byRoom.delete(roomId);
  }

  shown(report: RoomReport): RoomReport {
    const known = this.#byRoom.get(report.roomId);
    return known?.epoch === report.epoch ? { ...report, grant: known.grant } : report;
  }
}
