/** Reads and writes what each client's view of a state shows. */
import { type ChangeTree, type Encoder, type Root, StateView } from "@colyseus/schema";
import type { Ref } from "./internals.js";

/** What one client's view shows, by refId: visible nodes, nodes by custom tag, subscribed nodes. */
export interface ViewRecord {
  iterable: boolean;
  visible: number[];
  subscribed: number[];
  tags: [tag: number, refIds: number[]][];
}

interface ViewInternals {
  iterable: boolean;
  items?: Ref[];
  changes: Map<number, unknown>;
  _bindRoot(root: Root): void;
  _setSubscribed(tree: ChangeTree): void;
  isVisible(tree: ChangeTree): boolean;
  isSubscribed(tree: ChangeTree): boolean;
  markVisible(tree: ChangeTree): void;
  hasTagOnTree(tree: ChangeTree, tag: number): boolean;
  addTag(tree: ChangeTree, tag: number): void;
}

function readView(view: StateView, encoder: Encoder): ViewRecord {
  const internals = view as unknown as ViewInternals;
  const record: ViewRecord = { iterable: internals.iterable, visible: [], subscribed: [], tags: [] };
  const tags = new Map<number, number[]>();
  for (const key of Object.keys(encoder.root.changeTrees)) {
    const refId = Number(key);
    const tree = encoder.root.changeTrees[refId];
    if (tree === undefined) continue;
    if (internals.isVisible(tree)) record.visible.push(refId);
    if (internals.isSubscribed(tree)) record.subscribed.push(refId);
    for (const tag of tree.tagViews?.keys() ?? []) {
      if (!internals.hasTagOnTree(tree, tag)) continue;
      const refIds = tags.get(tag);
      if (refIds === undefined) tags.set(tag, [refId]);
      else refIds.push(refId);
    }
  }
  record.tags = [...tags];
  return record;
}

function writeView(view: StateView, record: ViewRecord, encoder: Encoder): void {
  const internals = view as unknown as ViewInternals;
  internals._bindRoot(encoder.root);
  const tree = (refId: number): ChangeTree | undefined => encoder.root.changeTrees[refId];
  for (const refId of record.visible) {
    const visible = tree(refId);
    if (visible === undefined) continue;
    internals.markVisible(visible);
    internals.items?.push(visible.ref as unknown as Ref);
  }
  for (const refId of record.subscribed) {
    const subscribed = tree(refId);
    if (subscribed !== undefined) internals._setSubscribed(subscribed);
  }
  for (const [tag, refIds] of record.tags) {
    for (const refId of refIds) {
      const tagged = tree(refId);
      if (tagged !== undefined) internals.addTag(tagged, tag);
    }
  }
  internals.changes.clear();
}

/** The views of a room on their way: of clients, several of whom may share one, and of fields. */
export class OutgoingViews {
  readonly #encoder: Encoder;
  readonly #places = new Map<StateView, number>();
  readonly records: ViewRecord[] = [];

  constructor(encoder: Encoder) {
    this.#encoder = encoder;
  }

  placeOf(view: StateView): number {
    const known = this.#places.get(view);
    if (known !== undefined) return known;
    this.#places.set(view, this.records.length);
    return this.records.push(readView(view, this.#encoder)) - 1;
  }
}

/** The same views in the same order. */
export function buildViews(records: readonly ViewRecord[], encoder: Encoder): StateView[] {
  return records.map((record) => {
    const view = new StateView(record.iterable);
    writeView(view, record, encoder);
    return view;
  });
}
