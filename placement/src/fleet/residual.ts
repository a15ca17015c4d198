/**
 * Chains of moves that make a fleet's assignment cheaper: negative cycles in the residual graph of its min-cost
 * flow. Nodes are hosts and one "free slot"; the edge g -> h is the room of g that loses least by going to h.
 */

export interface Step {
  /** Indices into the rooms and hosts of the fleet. */
  room: number;
  from: number;
  to: number;
}

/** Below this a gain is rounding. */
const LEAST_GAIN = 1e-6;

export interface ResidualGraph {
  hosts: number;
  /** Cost of the cheapest room of `from` at `to`, less its cost at `from`; Infinity if none may go. */
  shift(from: number, to: number): { gainless: number; room: number };
  hasFreeSlot(host: number): boolean;
}

/**
 * One improving chain, by Bellman & Ford from all nodes at once.
 * @returns undefined when the assignment is optimal
 */
export function findChain(graph: ResidualGraph): { steps: Step[] } | undefined {
  const free = graph.hosts;
  const nodes = graph.hosts + 1;
  const edges: { from: number; to: number; cost: number; room: number }[] = [];
  for (let from = 0; from < graph.hosts; from++) {
    edges.push({ from: free, to: from, cost: 0, room: -1 });
    if (graph.hasFreeSlot(from)) edges.push({ from, to: free, cost: 0, room: -1 });
    for (let to = 0; to < graph.hosts; to++) {
      if (to === from) continue;
      const { gainless, room } = graph.shift(from, to);
      if (gainless < Number.POSITIVE_INFINITY) edges.push({ from, to, cost: gainless, room });
    }
  }
  const distance = new Float64Array(nodes);
  const by = new Int32Array(nodes).fill(-1);
  let last = -1;
  for (let pass = 0; pass < nodes; pass++) {
    last = -1;
    edges.forEach(({ from, to, cost }, index) => {
      const reached = (distance[from] ?? 0) + cost;
      if (reached >= (distance[to] ?? 0) - LEAST_GAIN) return;
      distance[to] = reached;
      by[to] = index;
      last = to;
    });
    if (last < 0) return undefined;
  }
  // A node relaxed in the last pass hangs on a cycle; so many steps back are surely on it.
  let node = last;
  for (let i = 0; i < nodes; i++) node = edges[by[node] ?? -1]?.from ?? node;
  const cycle: { from: number; to: number; cost: number; room: number }[] = [];
  const start = node;
  do {
    const edge = edges[by[node] ?? -1];
    if (edge === undefined) return undefined;
    cycle.push(edge);
    node = edge.from;
  } while (node !== start);
  const gain = -cycle.reduce((sum, { cost }) => sum + cost, 0);
  if (gain <= LEAST_GAIN) return undefined;
  return { steps: cycle.flatMap(({ room, from, to }) => (room < 0 ? [] : [{ room, from, to }])) };
}
