/** Which host of a lab an address is at now: a room's VM takes its address along. */
import { guestMac } from "@centroid/agent";
import { readPlaces } from "../lab/switch.js";

/** A VM that has moved is at its new distance within this. */
const LOOK_INTERVAL_MS = 50;

export class Locator implements Disposable {
  readonly #hostOf = new Map<string, string>();
  #places: Record<string, string> = {};
  readonly #timer: NodeJS.Timeout;

  constructor({ controlPath, hosts }: { controlPath: string; hosts: Record<string, string> }) {
    for (const [hostId, address] of Object.entries(hosts)) this.#hostOf.set(address, hostId);
    let asked = false;
    this.#timer = setInterval(() => {
      if (asked) return;
      asked = true;
      readPlaces(controlPath)
        .then((places) => {
          this.#places = places;
        })
        // It keeps what it knew; a lab that is gone has no connections either.
        .catch(() => undefined)
        .finally(() => {
          asked = false;
        });
    }, LOOK_INTERVAL_MS);
    this.#timer.unref();
  }

  hostOf(address: string): string | undefined {
    return this.#hostOf.get(address) ?? this.#places[guestMac(address).replaceAll(":", "")];
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
