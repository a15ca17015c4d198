/** Round trips between nodes, as the simulator takes them. */
import { MatrixError } from "./matrix-error.js";

/** Round trips between `size` nodes; the one from i to j is `rttMs[i * size + j]`. */
export interface RttMatrix {
  size: number;
  labels: readonly string[];
  rttMs: Float64Array;
}

/** Several slices of the same nodes over time. @throws MatrixError if they are not of one size */
export function checkSlices(slices: readonly RttMatrix[]): void {
  const sizes = new Set(slices.map(({ size }) => size));
  if (slices.length === 0) throw new MatrixError("MATRIX_EMPTY", "no matrix given; at least one is needed");
  if (sizes.size > 1)
    throw new MatrixError(
      "MATRIX_SLICES_DIFFER",
      `the matrices have ${[...sizes].join(", ")} nodes; slices must be of the same nodes`,
    );
}
