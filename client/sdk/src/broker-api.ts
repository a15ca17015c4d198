/** The few broker calls the SDK makes beside matchmaking, each answer checked. */
import {
  type Beacon,
  type BeaconList,
  beaconListSchema,
  CentroidError,
  type ProbeRequest,
  type ProbeResponse,
  probeResponseSchema,
  tryRead,
  type Where,
  whereSchema,
  wireErrorSchema,
} from "@centroid/protocol";
import type { ClientOptions, FetchFn } from "@colyseus/sdk";
import * as z from "zod/mini";
import { reachable } from "./way.js";

const errorSchema = z.object({ error: wireErrorSchema });

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

  /** Asks one broker after the other until one can be reached. @throws what `call` does; NO_HOST if none can */
  async reach<T>(call: (base: string) => Promise<T>, unreached: (cause: unknown) => boolean): Promise<T> {
    let failure: unknown;
    for (const base of [...this.#bases]) {
      try {
        const answer = await call(base);
        this.#prefer(base);
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

  #prefer(base: string): void {
    if (this.#bases[0] === base) return;
    this.#bases.splice(this.#bases.indexOf(base), 1);
    this.#bases.unshift(base);
  }

  /** The few hosts to start with, or the ones named. */
  async beacons(hostIds?: readonly string[]): Promise<BeaconList> {
    const query = hostIds === undefined ? {} : { hosts: hostIds.join(",") };
    const list = await this.#get("/centroid/v1/beacons", query, beaconListSchema);
    return { ...list, beacons: this.#reachable(list.beacons) };
  }

  async probes(body: ProbeRequest): Promise<ProbeResponse> {
    const answer = await this.#request(
      "/centroid/v1/probes",
      { method: "POST", body: JSON.stringify(body) },
      probeResponseSchema,
    );
    return { ...answer, next: this.#reachable(answer.next) };
  }

  #reachable(beacons: readonly Beacon[]): Beacon[] {
    return beacons.map((beacon) => reachable(this.base, beacon));
  }

  where(roomId: string): Promise<Where> {
    return this.#get(`/centroid/v1/where/${roomId}`, {}, whereSchema);
  }

  #get<T>(path: string, query: Record<string, string>, schema: z.core.$ZodType<T>): Promise<T> {
    const search = new URLSearchParams(query);
    if (this.#network !== undefined) search.set("network", this.#network);
    return this.#request(search.size === 0 ? path : `${path}?${search}`, {}, schema);
  }

  async #request<T>(path: string, init: RequestInit, schema: z.core.$ZodType<T>): Promise<T> {
    const headers =
      init.body === undefined ? this.#headers : { ...this.#headers, "content-type": "application/json" };
    const response = await this.reach(
      (base) => this.#fetch(`${base}${path}`, { ...init, headers }),
      () => true,
    );
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok) {
      const parsed = tryRead(errorSchema, body);
      if (parsed.success) throw CentroidError.fromWire(parsed.data.error);
      throw new CentroidError("BAD_REQUEST", `broker answered ${response.status}`);
    }
    const parsed = tryRead(schema, body);
    if (!parsed.success)
      throw new CentroidError(
        "PROTOCOL_VERSION",
        `broker answered something else: ${z.prettifyError(parsed.error)}`,
      );
    return parsed.data;
  }
}
