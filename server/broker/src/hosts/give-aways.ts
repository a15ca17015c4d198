/**
 * Before a host is given a room whose former one is not heard any more, every other broker is asked once more: one of
 * them may have heard it since it said that it does not. The new owner is on record by then, so whoever hears the former
 * one later reads that first (OWN-12).
 */
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Cluster } from "../cluster/cluster.js";
import type { Given } from "./host-answers.js";
import { CLOCK_MARGIN } from "./liveness.js";

/** A message between brokers may be lost, and one that hears the host has to wait for it. */
const ASK_AGAIN_MS = 100;

export interface GiveAwaysOptions {
  cluster: Pick<Cluster, "publish" | "othersNow">;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  leaseMs: number;
}

/** What another broker says of a host, when it is asked. */
export interface HeardAnswer {
  hostId: string;
  /** It heard it so long ago; never if undefined. */
  agoMs?: number | undefined;
  /** Of the give-away that it was asked about, if it does not answer the host any more, or has had it let go of the room. */
  withdrawn?: string | undefined;
  /** It can answer that. */
  promises?: boolean | undefined;
}

interface Ask {
  hostId: string;
  /** Brokers that have said so. */
  withdrawn: Set<string>;
  onAnswer: () => void;
}

export class GiveAways {
  readonly #options: GiveAwaysOptions;
  readonly #asks = new Map<string, Ask>();

  constructor(options: GiveAwaysOptions) {
    this.#options = options;
  }

  /**
   * Resolves when no broker answers this host any more without having looked at what is on record, as it is by now, or the
   * host has let go of the room.
   * @param hostId of a former owner that counts as lost
   * @param goesOn false once nobody waits for it any more; it resolves then, too
   */
  async withdraw(hostId: string, { roomId, epoch }: Given, goesOn: () => boolean): Promise<void> {
    const { cluster, newId, logger } = this.#options;
    const askId = newId();
    const ask: Ask = { hostId, withdrawn: new Set(), onAnswer: () => undefined };
    this.#asks.set(askId, ask);
    try {
      while (goesOn()) {
        cluster.publish("host-asked", { hostId, given: { askId, roomId, epoch } });
        try {
          // As they are by now: one that came since reads the record before it answers anybody for all.
          const others = await cluster.othersNow();
          const isDone = (): boolean => others.every(({ brokerId }) => ask.withdrawn.has(brokerId));
          if (isDone() || (await this.#answers(ask, isDone))) return;
        } catch (cause) {
          logger.warn({ hostId, roomId, cause }, "other brokers could not be asked about a host yet");
          await this.#answers(ask, () => false);
        }
      }
    } finally {
      this.#asks.delete(askId);
    }
  }

  /** Another broker has been asked. */
  heard(brokerId: string, { hostId, agoMs, withdrawn, promises }: HeardAnswer): void {
    const isLong = agoMs === undefined || agoMs > this.#options.leaseMs * CLOCK_MARGIN;
    for (const [askId, ask] of this.#asks) {
      // One of an earlier version promises nothing, and is believed as it was.
      const isOld = promises !== true && ask.hostId === hostId && isLong;
      if (askId !== withdrawn && !isOld) continue;
      ask.withdrawn.add(brokerId);
      ask.onAnswer();
    }
  }

  /** @returns true as soon as all have answered; false if they are to be asked again */
  #answers(ask: Ask, isDone: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ASK_AGAIN_MS, () => resolve(isDone()));
      ask.onAnswer = () => {
        if (!isDone()) return;
        cancel();
        resolve(true);
      };
    });
  }
}
