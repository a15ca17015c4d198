/** Spread on a box that scrolls or moves by keys: it must be reachable by keys, though it is no control. */
export const REACHABLE_BY_KEYS = { tabIndex: 0 } as const;
