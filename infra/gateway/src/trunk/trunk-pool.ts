/** A gateway's trunks: one per address of a room host, which is one per room host where nobody lies in between. */
import type { RoomRoute } from "@centroid/protocol";
import type { StreamOpening } from "@centroid/protocol/trunk";
import { Trunk } from "./trunk.js";
import type { TrunkStream } from "./trunk-stream.js";

export class TrunkPool implements Disposable {
  readonly #gatewayId: string;
  readonly #trunks = new Map<string, Trunk>();

  constructor(gatewayId: string) {
    this.#gatewayId = gatewayId;
  }

  open(
    { address, processId }: Pick<RoomRoute, "address" | "processId">,
    key: string,
    opening: StreamOpening,
  ): TrunkStream {
    const name = JSON.stringify([address, processId, key]);
    let trunk = this.#trunks.get(name);
    if (trunk === undefined || trunk.ended) {
      const made = new Trunk({
        gatewayId: this.#gatewayId,
        url: `ws://${address}`,
        key,
        onEnded: () => {
          if (this.#trunks.get(name) === made) this.#trunks.delete(name);
        },
      });
      trunk = made;
      this.#trunks.set(name, trunk);
    }
    return trunk.open(opening);
  }

  [Symbol.dispose](): void {
    for (const trunk of [...this.#trunks.values()]) trunk.end();
  }
}
