/** Whether this player's copy of the state is what the room has, as its host says it is. */
import {
  type ClientControl,
  digestState,
  MAX_DIVERGED_NODES,
  orderMap,
  type ServerControl,
} from "@centroid/protocol";

/** What of Colyseus' serializer (@colyseus/sdk 0.18.4) is looked at; rooms without a state have another. */
interface Decoding {
  decoder?: {
    state: object;
    context: { getTypeId(klass: object): number | undefined };
    root: { refs: Map<number, object> };
  };
}

/** @returns what to answer if this copy is another */
export function compareState(
  serializer: object,
  { number, hash, skip }: Extract<ServerControl, { type: "digest" }>,
): ClientControl | undefined {
  const { decoder } = serializer as Decoding;
  if (decoder === undefined) return undefined;
  const digest = digestState(decoder.state, { skip, typeOf: (klass) => decoder.context.getTypeId(klass) });
  if (digest.hash === hash) return undefined;
  const nodes = [...digest.nodes].sort(([one], [other]) => one - other).slice(0, MAX_DIVERGED_NODES);
  return { type: "diverged", number, nodes };
}

/** Puts the entries of a map into the room's order. */
export function orderEntries(serializer: object, refId: number, indexes: readonly number[]): void {
  const map = (serializer as Decoding).decoder?.root.refs.get(refId);
  if (map !== undefined) orderMap(map, indexes);
}
