/**
 * What rooms publish to rooms on other hosts. Where there are several brokers it goes by two of them, since what one has not
 * passed on when it ends, or cannot pass on to a host that has just lost it, is lost; each host takes the copy that comes first.
 */
import { forgetOldest, type Published } from "@centroid/protocol";
import type { BrokerLink } from "./broker-link.js";

/** Any broker reaches every host. */
const WAYS = 2;
/** Messages that are known by their id; the second copy of one comes milliseconds after the first. */
const MAX_REMEMBERED = 10_000;

export class PresenceRelay {
  readonly #links: readonly Pick<BrokerLink, "published">[];
  readonly #heard = new Set<string>();

  /** @param links to all brokers; may still grow */
  constructor(links: readonly Pick<BrokerLink, "published">[]) {
    this.#links = links;
  }

  /** To the rooms of other hosts. */
  tell(said: Published): void {
    let ways = 0;
    for (const link of this.#links) if (link.published(said) && ++ways === WAYS) return;
  }

  /** @returns false if it came by another broker before */
  isNew({ id }: Pick<Published, "id">): boolean {
    if (id === undefined) return true;
    if (this.#heard.has(id)) return false;
    this.#heard.add(id);
    forgetOldest(this.#heard, MAX_REMEMBERED);
    return true;
  }
}
