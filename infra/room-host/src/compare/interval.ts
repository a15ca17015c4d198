/** How often players' copies of a state are compared with the room's unless the operator says otherwise. */
export const DEFAULT_COMPARE_INTERVAL_MS = 10_000;
