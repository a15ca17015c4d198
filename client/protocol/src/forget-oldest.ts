/** Bounds what is remembered by key. */

/** Forgets what was put in first, until at most so many are left. */
export function forgetOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(oldest);
  }
}
