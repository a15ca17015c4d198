/**
 * By which gateway the room's host is nearest. What is measured is the whole way, from the player by the gateway to the
 * host and back, so that nobody has to add up its parts.
 */
import { BEACON_PATH, type ProbeReport } from "@centroid/protocol";
import type { Prober } from "./prober.js";
import { socketOrigin } from "./way.js";

/** Only so many are compared. */
const MAX_COMPARED = 4;
/** A change costs a few round trips of silence: it has to be worth that, twice in a row. */
const WORTH_FACTOR = 0.8;
const WORTH_MS = 10;
const IN_A_ROW = 2;

export class NearestGateway {
  readonly #prober: Prober;
  #better: string | undefined;
  #times = 0;

  constructor(prober: Prober) {
    this.#prober = prober;
  }

  /**
   * @param origins gateways, the one that carries the session first
   * @returns the one to go over to, if there is one
   */
  async compare(origins: readonly string[], hostId: string): Promise<string | undefined> {
    const compared = origins.slice(0, MAX_COMPARED);
    if (compared.length < 2) return undefined;
    const targets = compared.map((origin) => ({
      hostId: origin,
      url: `${socketOrigin(origin)}${BEACON_PATH}${hostId}`,
    }));
    const better = clearlyNearer(await this.#prober.measure(targets));
    this.#times = better !== undefined && better === this.#better ? this.#times + 1 : 1;
    this.#better = better;
    if (better === undefined || this.#times < IN_A_ROW) return undefined;
    this.#better = undefined;
    return better;
  }
}

/** @param ways what was measured by each gateway, the present one first. @returns one that is worth the change */
export function clearlyNearer(ways: readonly Pick<ProbeReport, "hostId" | "rttsMs">[]): string | undefined {
  const [present, ...others] = ways.map(({ hostId, rttsMs }) => ({ origin: hostId, rttMs: median(rttsMs) }));
  const [nearest] = others.toSorted((one, other) => one.rttMs - other.rttMs);
  // Nothing was heard by the present one: whether it is gone its sessions find out themselves.
  if (present === undefined || nearest === undefined || !Number.isFinite(present.rttMs)) return undefined;
  const isWorth = nearest.rttMs <= present.rttMs * WORTH_FACTOR && nearest.rttMs <= present.rttMs - WORTH_MS;
  return isWorth ? nearest.origin : undefined;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
}
