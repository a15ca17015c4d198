/**
 * Makes rare branches common, as FoundationDB's BUGGIFY does: each named place is switched on in a quarter of all runs,
 * and where it is on it fires often. Passed to whoever has such a place.
 */
import type { Draw } from "../support/draw.js";

const SWITCHED_ON = 0.25;

/** True if the rare thing of that name is to happen now. */
export type Buggify = (place: string, chance: number) => boolean;

export function buggify(draw: Draw): Buggify {
  const on = new Map<string, boolean>();
  return (place, chance) => {
    let isOn = on.get(place);
    if (isOn === undefined) {
      isOn = draw.unit() < SWITCHED_ON;
      on.set(place, isOn);
    }
    return isOn && draw.unit() < chance;
  };
}
