/** The arcs of this moment; ticks only while one is fading. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { LiveStore } from "../live/store.js";
import { type Arc, arcsOf } from "./arcs.js";

/** Fine enough for a fade, coarse enough to cost nothing. */
const TICK_MS = 100;

export function useArcs(store: LiveStore): readonly Arc[] {
  const tick = useSignal(0);
  const world = store.world.value;
  // Read so that this renders again with every tick and every move of the cursor.
  void tick.value;
  void store.cursorMs.value;
  const arcs = arcsOf(world, store.nowMs());
  const fading = arcs.length > world.migrations.size && store.cursorMs.value === undefined;
  useEffect(() => {
    if (!fading) return;
    const timer = setInterval(() => {
      tick.value += 1;
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [fading, tick]);
  return arcs;
}
