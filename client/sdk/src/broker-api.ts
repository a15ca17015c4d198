/** What the SDK calls of a broker beside matchmaking, and which broker of several answers. */
import {
  type ApiRoute,
  type AvailableRooms,
  type Beacon,
  type BeaconList,
  BrokerUnreachableError,
  CentroidError,
  callRoute,
  type ProbeRequest,
  type ProbeResponse,
  playerRoutes,
  type RouteAnswer,
  type RouteInput,
  type Where,
} from "@centroid/protocol";
import type { ClientOptions, FetchFn } from "@colyseus/sdk";
import { reachable } from "./way.js";

/** A broker that takes a request and says nothing is as good as none. */
const ANSWER_TIMEOUT_MS = 5_000;

export class BrokerApi {
  /** The one that answered last comes first. */
  readonly #bases: string[];
  readonly #network: string | undefined;
  readonly #headers: Record<string, string>;
  readonly #fetch: FetchFn;

  /** @param brokerUrls all know the same; the next is asked when one cannot be reached */
  constructor(
    brokerUrls: readonly string[],
    network: string | undefined,
    { headers, fetchFn }: Pick<ClientOptions, "headers" | "fetchFn"> = {},
  ) {
    this.#headers = headers ?? {};
    this.#fetch = fetchFn ?? ((url, init) => fetch(url, init));
    this.#bases = brokerUrls.map((url) => url.replace(/^ws/, "http").replace(/\/$/, ""));
    this.#network = network;
  }

  /** The broker that answered last. */
  get base(): string {
    return this.#bases[0] ?? "";
  }

  /** All of them; the one that answered last comes first. */
  get bases(): readonly string[] {
    return this.#bases;
  }

  /** Gateways pass on what a broker is asked: they are asked when none of the others can be reached. */
  add(urls: readonly string[]): void {
    for (const url of urls) if (!this.#bases.includes(url)) this.#bases.push(url);
  }

  /** That one is asked last from now on. */
  avoid(url: string): void {
    const at = this.#bases.indexOf(url);
    if (at >= 0) this.#bases.push(...this.#bases.splice(at, 1));
  }

  /** Asks one broker after the other until one can be reached. @throws what `call` does; NO_HOST if none can */
  async reach<T>(call: (base: string) => Promise<T>, unreached: (cause: unknown) => boolean): Promise<T> {
    let failure: unknown;
    for (const base of [...this.#bases]) {
      try {
        const answer = await call(base);
        this.prefer(base);
        return answer;
      } catch (cause) {
        if (!unreached(cause)) throw cause;
        failure = cause;
      }
    }
    throw new CentroidError("NO_HOST", `broker ${this.#bases.join(", ")} cannot be reached; is it running?`, {
      cause: failure,
    });
  }

  /** That one is asked first from now on. */
  prefer(base: string): void {
    const at = this.#bases.indexOf(base);
    if (at > 0) this.#bases.unshift(...this.#bases.splice(at, 1));
  }

  /** The few hosts to start with, or the ones named. */
  async beacons(hostIds?: readonly string[]): Promise<BeaconList> {
    const hosts = hostIds === undefined ? {} : { hosts: hostIds.join(",") };
    const list = await this.#call(playerRoutes.beacons, { query: { ...this.#query(), ...hosts } });
    return { ...list, beacons: this.#reachable(list.beacons) };
  }

  async probes(body: ProbeRequest): Promise<ProbeResponse> {
    const answer = await this.#call(playerRoutes.probes, { body });
    return { ...answer, next: this.#reachable(answer.next) };
  }

  #reachable(beacons: readonly Beacon[]): Beacon[] {
    return beacons.map((beacon) => reachable(this.base, beacon));
  }

  rooms(name: string | undefined): Promise<AvailableRooms> {
    return this.#call(playerRoutes.rooms, { query: name === undefined ? {} : { name } });
  }

  /** @param direct the host's own address is wanted */
  where(roomId: string, direct = false): Promise<Where> {
    const query = { ...this.#query(), ...(direct && { direct: "1" as const }) };
    return this.#call(playerRoutes.where, { params: { roomId }, query });
  }

  #query(): { network?: string } {
    return this.#network === undefined ? {} : { network: this.#network };
  }

  #call<R extends ApiRoute>(route: R, input: RouteInput<R>): Promise<RouteAnswer<R>> {
    return this.reach(
      (base) => {
        const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
        return callRoute(route, input, { base, headers: this.#headers, fetch: this.#fetch, signal });
      },
      (cause) => cause instanceof BrokerUnreachableError,
    );
  }
}
