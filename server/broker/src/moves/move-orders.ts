/** Operators' orders to move a room: carried out by whichever broker decides about it. */
import type { MoveRequest, Receipt } from "@centroid/protocol";
import type { Cluster } from "../cluster/cluster.js";
import { forwardMove } from "../cluster/forward.js";
import type { Migrator } from "./migrator.js";

export class MoveOrders {
  readonly #migrator: Migrator;
  readonly #cluster: Pick<Cluster, "owns" | "ownerOf">;
  readonly #adminToken: string;

  constructor(migrator: Migrator, cluster: Pick<Cluster, "owns" | "ownerOf">, adminToken: string) {
    this.#migrator = migrator;
    this.#cluster = cluster;
    this.#adminToken = adminToken;
  }

  /** Resolves with the receipt. @throws CentroidError if the move cannot begin; see {@link Migrator.move} */
  async order(roomId: string, order: MoveRequest): Promise<Receipt> {
    const owner = this.#cluster.ownerOf(roomId);
    if (this.#cluster.owns(roomId) || owner === undefined)
      return this.#migrator.move(roomId, order.hostId, "operator", order.mechanism);
    return forwardMove(owner, this.#adminToken, roomId, order);
  }
}
