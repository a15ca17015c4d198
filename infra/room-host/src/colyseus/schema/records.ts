/** A Colyseus state as records of its nodes: same reference ids, same map indexes, exact numbers. */

/** A reference from one node to another: its refId and what to build if it is not known yet. */
export type NodeLink = readonly [refId: number, type: number];

export type FieldValue = NodeLink | string | number | bigint | boolean | null | undefined | Uint8Array;
/** One node: `[refId, type, content]`. Content by type: fields by index, or entries with their index. */
export type NodeRecord =
  | readonly [refId: number, type: number, slots: FieldValue[]]
  | readonly [
      refId: number,
      type: number,
      slots: FieldValue[],
      keys: (string | number)[],
      indexes: number[],
      next: number,
    ];
