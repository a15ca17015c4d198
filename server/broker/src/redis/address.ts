/** Where Redis is, as `--redis` says it: one server, a master that Sentinels watch, or a cluster. */
import { CentroidError } from "@centroid/protocol";

interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** What decides who owns a room counts only when so many replicas have it. */
  readonly replicas: number;
}

/** Where Redis is, and how it is set up. */
export type RedisAddress =
  | (Common & { readonly kind: "single" })
  | (Common & {
      readonly kind: "sentinel";
      /** What the Sentinels call the master. */
      readonly name: string;
      readonly sentinelUsername: string | undefined;
      readonly sentinelPassword: string | undefined;
    })
  | (Common & { readonly kind: "cluster" });

const FORMS =
  "redis://host:port, redis+sentinel://host1,host2,host3/NAME or redis+cluster://host1,host2,host3 (rediss for TLS)";
const URL_PARTS =
  /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/;
const HOST = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/;
const DEFAULT_PORT = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;
const PARAMETERS = {
  single: ["replicas"],
  sentinel: ["replicas", "sentinelUsername", "sentinelPassword"],
  cluster: ["replicas"],
} as const;

/** @throws CentroidError CONFIG_INVALID saying what is wrong, without the password */
export function parseRedisAddress(text: string): RedisAddress {
  const parts = URL_PARTS.exec(text);
  if (parts === null) throw invalid(`must look like ${FORMS}`);
  const [, secure, setUp, userInfo, authority = "", path = "", query = ""] = parts;
  const kind = setUp === "sentinel" || setUp === "cluster" ? setUp : "single";
  const [first, ...others] = authority.split(",").map((host) => node(host, DEFAULT_PORT[kind]));
  if (first === undefined) throw invalid(`must look like ${FORMS}`);
  if (kind === "single" && others.length > 0)
    throw invalid(
      "names several servers; write redis+sentinel://... or redis+cluster://... to say what they are",
    );
  const parameters = readParameters(kind, query);
  const common = {
    nodes: [first, ...others] as const,
    tls: secure === "s",
    ...credentials(userInfo),
    replicas: count(parameters.get("replicas") ?? (kind === "single" ? "0" : "1"), "replicas"),
  };
  const segments = path
    .split("/")
    .slice(1)
    .filter((segment, at) => segment !== "" || at === 0);
  switch (kind) {
    case "single":
      return { kind, ...common, database: database(segments) };
    case "cluster":
      if (database(segments) !== 0) throw invalid("a cluster has no databases but 0");
      return { kind, ...common, database: 0 };
    case "sentinel": {
      const [name = "", ...rest] = segments;
      if (name === "")
        throw invalid(
          "lacks the name by which the Sentinels know the master: redis+sentinel://host1,host2/NAME",
        );
      return {
        kind,
        ...common,
        name: decoded(name),
        database: database(rest),
        sentinelUsername: parameters.get("sentinelUsername"),
        sentinelPassword: parameters.get("sentinelPassword"),
      };
    }
    default: {
      const never: never = kind;
      throw new CentroidError("INTERNAL", `unknown kind ${String(never)}`);
    }
  }
}

/** For messages and logs: without names of users and passwords. */
export function shownAddress(address: RedisAddress): string {
  const scheme = `redis${address.tls ? "s" : ""}${address.kind === "single" ? "" : `+${address.kind}`}`;
  const hosts = address.nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`);
  return `${scheme}://${hosts.join(",")}${address.kind === "sentinel" ? `/${address.name}` : ""}`;
}

function node(text: string, defaultPort: number): RedisNode {
  const [, host, port] = HOST.exec(text) ?? [];
  if (host === undefined) throw invalid(`has a host that is none: "${text}"; it must look like ${FORMS}`);
  const number = port === undefined ? defaultPort : Number(port);
  if (number < 1 || number > 65_535) throw invalid(`has a port that is none: ${port}`);
  return { host: host.replace(/^\[|\]$/g, ""), port: number };
}

function credentials(userInfo: string | undefined): Pick<Common, "username" | "password"> {
  if (userInfo === undefined) return { username: undefined, password: undefined };
  const colon = userInfo.indexOf(":");
  const username = decoded(colon < 0 ? userInfo : userInfo.slice(0, colon));
  const password = colon < 0 ? "" : decoded(userInfo.slice(colon + 1));
  return {
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password,
  };
}

function readParameters(kind: RedisAddress["kind"], query: string): Map<string, string> {
  const known: readonly string[] = PARAMETERS[kind];
  const found = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!known.includes(key)) throw invalid(`has an unknown parameter "${key}"; known: ${known.join(", ")}`);
    found.set(key, value);
  }
  return found;
}

function database([first = "0", ...more]: readonly string[]): number {
  if (more.length > 0) throw invalid(`has a path that is none; it must look like ${FORMS}`);
  return count(first === "" ? "0" : first, "the database");
}

function count(text: string, what: string): number {
  if (!/^\d{1,4}$/.test(text)) throw invalid(`${what} must be a number, not "${text}"`);
  return Number(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid("has a % that encodes nothing; write %25 for the sign itself", cause);
  }
}

const invalid = (what: string, cause?: unknown): CentroidError =>
  new CentroidError("CONFIG_INVALID", `the address of Redis ${what}`, cause === undefined ? {} : { cause });
