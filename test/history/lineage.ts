/**
 * The lives of one room and which of them count. A room that moves or is restored begins a new life where a copy of
 * an earlier one stood; what the earlier one did after that copy is undone. What remains is one line of effects from
 * the first life to the one that runs at the end.
 */
import type { Effect, EventOf, HistoryEvent } from "./events.js";

export interface Life {
  readonly life: string;
  readonly thawed: EventOf<"thawed"> | undefined;
  /** In the order of their positions. */
  readonly effects: Effect[];
}

/** One life on the line, and how much of it counts. */
interface Stretch {
  readonly life: Life;
  /** The next life begins here: effects from this position on are undone. */
  readonly endsAt: number;
}

export class Lineage {
  readonly roomId: string;
  readonly lives = new Map<string, Life>();
  /** From the first life to the last. */
  readonly line: readonly Stretch[];

  constructor(roomId: string, events: readonly HistoryEvent[]) {
    this.roomId = roomId;
    const life = (
      name: string,
    ): { life: string; thawed: EventOf<"thawed"> | undefined; effects: Effect[] } => {
      const known = this.lives.get(name) ?? { life: name, thawed: undefined, effects: [] };
      this.lives.set(name, known);
      return known;
    };
    for (const event of events) {
      if (event.type === "thawed" && event.roomId === roomId)
        this.lives.set(event.life, { ...life(event.life), thawed: event });
      else if ((event.type === "heard" || event.type === "ticked") && event.roomId === roomId)
        life(event.life).effects.push(event);
    }
    for (const { effects } of this.lives.values()) effects.sort((a, b) => a.position - b.position);
    this.line = this.#line();
  }

  /** Lives in which the room did anything, oldest epoch first. */
  get active(): Life[] {
    return [...this.lives.values()]
      .filter(({ effects }) => effects.length > 0)
      .sort((a, b) => epochOf(a) - epochOf(b) || firstMs(a) - firstMs(b));
  }

  /** The effects that count, in order. */
  get effects(): Effect[] {
    return this.line.flatMap(({ life, endsAt }) => life.effects.filter(({ position }) => position < endsAt));
  }

  /** Lives from the one after `ancestor` down to `descendant`; undefined if it does not descend from it. */
  path(ancestor: string, descendant: string): Life[] | undefined {
    const path: Life[] = [];
    let at: string | undefined = descendant;
    while (at !== ancestor) {
      const life: Life | undefined = at === undefined ? undefined : this.lives.get(at);
      if (life === undefined || path.includes(life)) return undefined;
      path.unshift(life);
      at = life.thawed?.from.life;
    }
    return path;
  }

  #line(): Stretch[] {
    let life = this.active.at(-1);
    let endsAt = Number.POSITIVE_INFINITY;
    const line: Stretch[] = [];
    while (life !== undefined && !line.some((stretch) => stretch.life === life)) {
      line.unshift({ life, endsAt });
      const from: EventOf<"thawed">["from"] | undefined = life.thawed?.from;
      if (from === undefined) break;
      // A copy that was made before this life's own beginning has less than all that it inherited.
      endsAt = Math.min(endsAt, from.position);
      life = this.lives.get(from.life);
    }
    return line;
  }
}

const epochOf = ({ effects }: Life): number => effects.reduce((max, { epoch }) => Math.max(max, epoch), 0);
const firstMs = ({ effects }: Life): number =>
  effects.reduce((min, { atMs }) => Math.min(min, atMs), Number.POSITIVE_INFINITY);
