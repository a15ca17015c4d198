/**
 * Sees nodes come to and go from a running state, and those that are written to without the encoder recording it, so
 * that a copy can be kept up at the cost of what changes.
 */
import type { ChangeTree, Encoder, Root } from "@colyseus/schema";
import { FieldsOfClasses, type Ref, refIdOf as refIdOfNode } from "./internals.js";

/** Watches of one root, on the root itself. */
const WATCHES = Symbol("centroid.watches");
const HOOKED = Symbol("centroid.hooked");

type WatchedRoot = Root & { [WATCHES]?: Set<StateWatch> };
type TreeMethods = Pick<ChangeTree, "pause" | "untracked"> & { [HOOKED]?: true };

const refIdOf = (tree: ChangeTree): number => refIdOfNode(tree.ref as unknown as Ref);

export class StateWatch implements Disposable {
  readonly #root: WatchedRoot;
  readonly #fields = new FieldsOfClasses();
  readonly #added = new Set<number>();
  readonly #removed = new Set<number>();
  /** Trees whose class or field says that writes to them are not recorded. */
  readonly #neverTracked = new Set<number>();
  /** Trees whose tracking was paused since they were last collected, or is. */
  readonly #paused = new Set<number>();

  constructor(encoder: Encoder) {
    this.#root = encoder.root;
    hook(this.#root).add(this);
    for (const key of Object.keys(this.#root.changeTrees)) this.#added.add(Number(key));
  }

  added(tree: ChangeTree): void {
    this.#added.add(refIdOf(tree));
  }

  removed(refId: number): void {
    this.#removed.add(refId);
  }

  paused(tree: ChangeTree): void {
    this.#paused.add(refIdOf(tree));
  }

  /** Nodes that came, those that there were at the start among them, and nodes that may have been written to unseen. */
  collect(into: Set<number>): void {
    for (const refId of this.#added) {
      into.add(refId);
      const tree = this.#root.changeTrees[refId];
      if (tree?.paused === true) this.#paused.add(refId);
      if (tree !== undefined && this.#isNeverTracked(tree)) this.#neverTracked.add(refId);
    }
    this.#added.clear();
    for (const refId of this.#neverTracked) into.add(refId);
    for (const refId of this.#paused) {
      into.add(refId);
      if (this.#root.changeTrees[refId]?.paused !== true) this.#paused.delete(refId);
    }
  }

  /** Nodes that left, since the last call, and are not back. */
  takeRemoved(): number[] {
    const removed = [...this.#removed].filter((refId) => this.#root.changeTrees[refId] === undefined);
    this.#removed.clear();
    for (const refId of removed) {
      this.#neverTracked.delete(refId);
      this.#paused.delete(refId);
    }
    return removed;
  }

  #isNeverTracked(tree: ChangeTree): boolean {
    // Items of streams come and go past the recorder.
    if (tree.isFullStateOnly || tree.isStreamCollection) return true;
    return this.#fields.of(tree.ref.constructor).some((field) => field?.fullStateOnly === true);
  }

  [Symbol.dispose](): void {
    this.#root[WATCHES]?.delete(this);
  }
}

/** The root's watches; from now on it tells them. */
function hook(root: WatchedRoot): Set<StateWatch> {
  const known = root[WATCHES];
  if (known !== undefined) return known;
  const watches = new Set<StateWatch>();
  Object.defineProperty(root, WATCHES, { value: watches });
  const { add, remove } = root;
  root.add = (tree) => {
    const isNew = add.call(root, tree);
    if (isNew) for (const watch of watches) watch.added(tree);
    return isNew;
  };
  root.remove = (tree) => {
    const refId = refIdOf(tree);
    const left = remove.call(root, tree);
    if (root.changeTrees[refId] === undefined) for (const watch of watches) watch.removed(refId);
    return left;
  };
  for (const tree of Object.values(root.changeTrees)) {
    hookPauses(Object.getPrototypeOf(tree) as TreeMethods);
    break;
  }
  return watches;
}

/** All trees of a process share one prototype: there each is told of once. */
function hookPauses(trees: TreeMethods): void {
  if (trees[HOOKED] === true) return;
  Object.defineProperty(trees, HOOKED, { value: true });
  const { pause, untracked } = trees;
  const tell = (tree: ChangeTree): void => {
    for (const watch of (tree.root as WatchedRoot | undefined)?.[WATCHES] ?? []) watch.paused(tree);
  };
  trees.pause = function (this: ChangeTree) {
    tell(this);
    pause.call(this);
  };
  trees.untracked = function <T>(this: ChangeTree, run: () => T): T {
    tell(this);
    return untracked.call(this, run) as T;
  };
}
