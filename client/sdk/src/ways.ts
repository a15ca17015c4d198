/**
 * By which gateway the sockets of one session come. Any of a deployment's carries any session, so when one is lost the
 * next is dialled, and the session goes on there with its counters as after a move.
 */
import type { Way } from "@centroid/protocol";
import { dialWatched, type SessionSocket } from "./dial.js";
import { socketOrigin, throughOrigin } from "./way.js";

export class Ways {
  readonly #candidates: () => readonly string[];
  #goOver: (() => boolean) | undefined;
  #way: Way;
  /** The one that is dialled now. */
  #origin: string;

  /**
   * @param origin by which the session came
   * @param candidates where gateways are, `http(s)://host[:port][/path]`; the origin of a broker is one
   */
  constructor(way: Way, origin: string, candidates: () => readonly string[]) {
    this.#way = way;
    this.#origin = origin;
    this.#candidates = candidates;
  }

  set way(way: Way) {
    this.#way = way;
  }

  /** All gateways that could carry the session, the one that does first; none if it goes to the hosts themselves. */
  get origins(): readonly string[] {
    return this.#way === "direct" ? [] : [...new Set([this.#origin, ...this.#candidates()])];
  }

  /** Whoever carries the session is told when it is to go over to another gateway. */
  readonly onChosen = (goOver: () => boolean): void => {
    this.#goOver = goOver;
  };

  /** That one is nearer: the session goes over to it. @returns false if it cannot just now */
  choose(origin: string): boolean {
    const before = this.#origin;
    this.#origin = origin;
    if (this.#goOver?.() === true) return true;
    this.#origin = before;
    return false;
  }

  /** A session's URL at some host, as one that can be dialled from here now. */
  route(url: string): string {
    return this.#way === "direct" ? url : throughOrigin(this.#origin, url);
  }

  readonly dial = (url: string): SessionSocket => dialWatched(url, () => this.#broke(url));

  /** Nothing comes by the gateway of now. @returns the one that is left; undefined if there is no other */
  detour(): string | undefined {
    const left = this.#origin;
    if (this.#way === "direct") return undefined;
    this.#toNext();
    return this.#origin === left ? undefined : left;
  }

  /** Nobody has said goodbye there: the next one, unless it is the next one already. */
  #broke(url: string): void {
    if (url.startsWith(`${socketOrigin(this.#origin)}/`)) this.#toNext();
  }

  #toNext(): void {
    const candidates = [...new Set(this.#candidates())];
    this.#origin = candidates[(candidates.indexOf(this.#origin) + 1) % candidates.length] ?? this.#origin;
  }
}
