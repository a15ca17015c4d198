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
  /** The host that is dialled without any, and where it is once that is known. */
  #direct: { hostId: string; authority: string | undefined } | undefined;
  /** A way that broke once is not taken again. */
  #directBroke = false;

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
  origins(hostId: string): readonly string[] {
    if (this.#way === "direct" || this.isDirect(hostId)) return [];
    return [...new Set([this.#origin, ...this.#candidates()])];
  }

  /** That host is dialled at its own address, though the session came by a gateway. */
  isDirect(hostId: string): boolean {
    return this.#direct?.hostId === hostId;
  }

  /** That host, its room's, is reached without a gateway, and no later. @returns false if it cannot be just now */
  chooseDirect(hostId: string): boolean {
    if (this.#directBroke) return false;
    this.#direct = { hostId, authority: undefined };
    if (this.#goOver?.() === true) return true;
    this.#direct = undefined;
    return false;
  }

  /**
   * The host's own address, if the session is to go there.
   * @param address as a broker names it that was asked for it
   */
  directTo(hostId: string, address: string | undefined): boolean {
    if (this.#direct === undefined) return false;
    this.#direct.authority = this.#direct.hostId === hostId ? address : undefined;
    if (this.#direct.authority === undefined) this.#direct = undefined;
    return this.#direct !== undefined;
  }

  /** A broker is to be asked for the host's own address. */
  get wantsDirect(): boolean {
    return this.#direct !== undefined;
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
    if (this.#direct?.authority !== undefined && url.startsWith(`ws://${this.#direct.authority}/`)) {
      this.#direct = undefined;
      this.#directBroke = true;
      return;
    }
    if (url.startsWith(`${socketOrigin(this.#origin)}/`)) this.#toNext();
  }

  #toNext(): void {
    const candidates = [...new Set(this.#candidates())];
    this.#origin = candidates[(candidates.indexOf(this.#origin) + 1) % candidates.length] ?? this.#origin;
  }
}
