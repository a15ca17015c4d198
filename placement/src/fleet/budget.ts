/** How many moves hosts and links may still bear, as plain data. */

export interface FleetBudget {
  /** Moves that may start, and as many that may end, at one host in a second; moves from one host to another. */
  movesPerHost: number;
  movesPerLink: number;
  /** Those of the last second: by host, and by `linkKey`. */
  spentHosts: Readonly<Record<string, number>>;
  spentLinks: Readonly<Record<string, number>>;
}

export const linkKey = (from: string, to: string): string => `${from} ${to}`;

export const movesLeft = ({ movesPerHost, spentHosts }: FleetBudget, hostId: string): number =>
  Math.max(0, movesPerHost - (spentHosts[hostId] ?? 0));

export const linkMovesLeft = ({ movesPerLink, spentLinks }: FleetBudget, from: string, to: string): number =>
  Math.max(0, movesPerLink - (spentLinks[linkKey(from, to)] ?? 0));
