/** What brokers' orders gave to this host: shown whenever it says that it runs such a room. */
import type { AgentRequest, RoomReport } from "@centroid/protocol";

export class Grants {
  readonly #byRoom = new Map<string, { epoch: number; grant: string }>();

  /** An order came with a grant. */
  remember(order: AgentRequest, grant: string | undefined): void {
    if (grant === undefined || !("epoch" in order)) return;
    this.#byRoom.set(order.roomId, { epoch: order.epoch, grant });
  }

  /** The room is not here any more at this epoch; by then a later order may have brought it back. */
  forget(roomId: string, epoch: number): void {
    if ((this.#byRoom.get(roomId)?.epoch ?? epoch) <= epoch) this.#byRoom.delete(roomId);
  }

  /** The room is not here in any form. */
  forgetAll(roomId: string): void {
    this.#byRoom.delete(roomId);
  }

  shown(report: RoomReport): RoomReport {
    const known = this.#byRoom.get(report.roomId);
    return known?.epoch === report.epoch ? { ...report, grant: known.grant } : report;
  }
}
