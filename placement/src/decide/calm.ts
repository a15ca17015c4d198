/**
 * How a freeze is felt by what players do just now, and how long a room waits for a calmer moment. Nobody knows when that
 * comes, so it waits until waiting has cost as much as the calm moment would save: at worst twice what was best in
 * hindsight (ski rental: Karlin, Manasse, Rudolph, Sleator 1988), and no longer than a minute.
 */

/** A freeze in which nobody does anything counts so many times what it counts where nothing is known of the players. */
const CALM_WEIGHT = 0.25;
/** The same where all are in the middle of something. */
const ACTING_WEIGHT = 2;
/** A shorter freeze is waited for by nobody. */
const LONG_FREEZE_MS = 100;
const LONGEST_WAIT_MS = 60_000;

/** @param activity of the players, 0 to 1; undefined if unknown */
export function freezeWeightOf(activity: number | undefined): number {
  return activity === undefined ? 1 : CALM_WEIGHT + (ACTING_WEIGHT - CALM_WEIGHT) * activity;
}

/** A move as it would be felt now, and as it would be in a calm moment. */
export interface MovePrice {
  /** In ms.player.ms. */
  cost: number;
  calmCost: number;
  /** The freeze that is expected, ms. */
  freezeMs: number;
}

/** What a calm moment is worth, ms.player.ms: nothing where the freeze is short, nobody acts, or that is not known. */
export function worthWaiting(
  { cost, calmCost, freezeMs }: MovePrice,
  activity: number | undefined,
  regretFactor: number,
): number {
  const isFelt = activity !== undefined && activity > 0 && freezeMs > LONG_FREEZE_MS;
  // Whoever asks what would be if moves cost nothing is not told to wait.
  return isFelt && regretFactor > 0 ? Math.max(0, cost - calmCost) : 0;
}

/** How long a room has waited, and what that has cost its players. */
export class CalmWait {
  #sinceMs: number | undefined;
  /** ms.player.s. */
  #lost = 0;

  /**
   * The room would move now.
   * @param lossPerS what its players lose in a second by not being there, ms.player
   * @param stepS since the room was last looked at
   * @param worth of {@link worthWaiting}
   * @returns whether it waits
   */
  holds(atMs: number, lossPerS: number, stepS: number, worth: number): boolean {
    if (worth <= 0) return false;
    if (this.#sinceMs === undefined) this.#sinceMs = atMs;
    else this.#lost += Math.max(0, lossPerS) * stepS;
    return this.#lost * 1_000 < worth && atMs - this.#sinceMs < LONGEST_WAIT_MS;
  }

  waitedMs(atMs: number): number {
    return this.#sinceMs === undefined ? 0 : atMs - this.#sinceMs;
  }

  over(): void {
    this.#sinceMs = undefined;
    this.#lost = 0;
  }
}
