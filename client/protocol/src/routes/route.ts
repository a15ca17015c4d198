/**
 * One call of the broker's HTTP API as both sides know it. The broker serves what the tables of routes say and
 * describes it in /openapi.json; every client calls it through {@link callRoute}.
 */
import * as z from "zod/mini";
import { CentroidError, wireErrorSchema } from "../errors.js";
import { tryRead } from "../read.js";

type Schema = z.core.$ZodType;

export interface ApiRoute {
  readonly method: "GET" | "POST" | "PUT";
  /** With a `:name` for each of `params`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Schema;
  readonly query?: Schema;
  readonly body?: Schema;
  readonly answer: Schema;
  /** The longest body that is read; the server's default if not given. */
  readonly maxBodyBytes?: number;
}

type Parts = "params" | "query" | "body";
/** What a caller gives: as much of `params`, `query` and `body` as the route has. */
export type RouteInput<R extends ApiRoute> = {
  readonly [K in Parts as R[K] extends Schema ? K : never]: z.input<Extract<R[K], Schema>>;
};
/** The same as the broker reads it, defaults filled in. */
export type RouteRequest<R extends ApiRoute> = {
  readonly [K in Parts as R[K] extends Schema ? K : never]: z.output<Extract<R[K], Schema>>;
};
export type RouteAnswer<R extends ApiRoute> = z.output<R["answer"]>;

/** How a client reaches one broker. */
export interface BrokerAccess {
  /** URL without a slash at its end. */
  readonly base: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  readonly signal?: AbortSignal;
}

/** No answer came at all: the broker does not run, or nothing leads there. */
export class BrokerUnreachableError extends CentroidError {
  constructor(base: string, cause: unknown) {
    super("NO_HOST", `broker ${base} cannot be reached; is it running?`, { cause });
  }
}

const failureSchema = z.object({ error: wireErrorSchema });

/**
 * Calls one route of one broker and checks its answer.
 * @throws CentroidError what the broker says; PROTOCOL_VERSION for an answer of another shape
 * @throws BrokerUnreachableError
 */
export async function callRoute<R extends ApiRoute>(
  route: R,
  input: RouteInput<R>,
  access: BrokerAccess,
): Promise<RouteAnswer<R>> {
  const { base, headers, signal, fetch: ask = (url, init) => fetch(url, init) } = access;
  const { body } = input as { body?: unknown };
  const response = await ask(`${base}${target(route, input)}`, {
    method: route.method,
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  }).catch((cause: unknown) => {
    throw new BrokerUnreachableError(base, cause);
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const failure = tryRead(failureSchema, answer);
    if (failure.success) throw CentroidError.fromWire(failure.data.error);
    throw new CentroidError(
      "INTERNAL",
      `broker answered ${response.status}; is ${base || "it"} a Centroid broker?`,
    );
  }
  const parsed = tryRead(route.answer, answer);
  if (parsed.success) return parsed.data as RouteAnswer<R>;
  throw new CentroidError(
    "PROTOCOL_VERSION",
    `broker's answer is not understood; update this program or the broker: ${z.prettifyError(parsed.error)}`,
  );
}

function target(route: ApiRoute, input: object): string {
  const { params, query } = input as Partial<Record<"params" | "query", Record<string, unknown>>>;
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params?.[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? path : `${path}?${search}`;
}
