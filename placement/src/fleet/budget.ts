/** How many moves hosts and links may still bear, as plain data. */

export interface FleetBudget {
  /** Moves that may start, and as many that may end, at one host in a second; moves from one host to another. */
  movesPerHost: number;
  movesPerLink: number;
  /** Those of the last second: by host, and by `linkKey`. */
  spentHosts: Readonly<Record<string, number>>;
  spentLinks: Readonly<Record<string, number>>;
  /**
   * Hosts that have to be empty by a certain time: how many more moves may start there now. Neither they nor the hosts that
   * take their rooms are held to the limits of a second.
   */
  leaving?: Readonly<Record<string, number>>;
}

export const linkKey = (from: string, to: string): string => `${from} ${to}`;

export function movesLeft({ movesPerHost, spentHosts, leaving = {} }: FleetBudget, hostId: string): number {
  const own = leaving[hostId];
  if (own !== undefined) return own;
  const fromLeaving = Object.values(leaving).reduce((sum, left) => sum + left, 0);
  return Math.max(fromLeaving, movesPerHost - (spentHosts[hostId] ?? 0));
}

export function linkMovesLeft(
  { movesPerLink, spentLinks, leaving = {} }: FleetBudget,
  from: string,
  to: string,
): number {
  return leaving[from] ?? Math.max(0, movesPerLink - (spentLinks[linkKey(from, to)] ?? 0));
}
