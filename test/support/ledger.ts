/** What players see of the fixtures' ledger room. */
import type { CentroidRoom } from "@centroid/sdk";

export interface LedgerState {
  tick: number;
  label: string;
  fired: number;
  weights: number[];
  entries: Map<string, { last: number; count: number; disorder: number; connected: boolean }>;
}
export type LedgerRoom = CentroidRoom<LedgerState>;
