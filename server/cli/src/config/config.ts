/** What `centroid up` needs to know, from flags, environment, `centroid.config.ts` and defaults, in that order. */
import { resolve } from "node:path";
import { CentroidError, tryRead } from "@centroid/protocol";
import { explainIssue } from "./explain.js";
import { findConfigFile, readConfigFile } from "./read-file.js";
import { type Config, type ConfigInput, configSchema } from "./schema.js";

export type { Config, ConfigInput } from "./schema.js";

/** For `centroid.config.ts`: types and completion, nothing else. */
export const defineConfig = (config: ConfigInput): ConfigInput => config;

/**
 * @param flags only those given on the command line
 * @throws CentroidError CONFIG_INVALID naming source, key and what is wrong
 */
export async function loadConfig(
  flags: Record<string, unknown>,
  options: { cwd?: string; file?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Config> {
  const cwd = options.cwd ?? process.cwd();
  const file = options.file === undefined ? findConfigFile(cwd) : resolve(cwd, options.file);
  const fromFile = file === undefined ? {} : await readConfigFile(file);
  const env = fromEnvironment(options.env ?? process.env);
  const parsed = tryRead(configSchema, { ...fromFile, ...env.found, ...flags });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new CentroidError("CONFIG_INVALID", "invalid configuration");
  const key = issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys[0] : issue.path[0];
  const name = String(key ?? "");
  const said = explainIssue(issue);
  if (name in flags) throw new CentroidError("CONFIG_INVALID", said);
  const variable = env.variables.get(name);
  if (variable !== undefined) throw new CentroidError("CONFIG_INVALID", `${said} (from ${variable})`);
  throw new CentroidError(
    "CONFIG_INVALID",
    file !== undefined && name in fromFile ? `${file}: ${said}` : said,
  );
}

/** Anything else is left for the schema to refuse. */
const asBoolean = (text: string): unknown => ({ 1: true, true: true, 0: false, false: false })[text] ?? text;

const ENVIRONMENT: Record<string, { key: keyof ConfigInput; read: (text: string) => unknown }> = {
  CENTROID_ROOMS: { key: "rooms", read: String },
  CENTROID_APP: { key: "app", read: String },
  CENTROID_PAGE: { key: "page", read: String },
  CENTROID_PORT: { key: "port", read: Number },
  CENTROID_BIND_HOST: { key: "bindHost", read: String },
  CENTROID_PUBLIC_URL: { key: "publicUrl", read: String },
  CENTROID_TLS_CERT: { key: "tlsCert", read: String },
  CENTROID_TLS_KEY: { key: "tlsKey", read: String },
  CENTROID_ADVERTISE_HOST: { key: "advertiseHost", read: String },
  CENTROID_HOSTS: { key: "hosts", read: Number },
  CENTROID_CARRIER: { key: "carrier", read: String },
  CENTROID_ISOLATION: { key: "isolation", read: String },
  CENTROID_EMULATE: { key: "emulate", read: asBoolean },
  CENTROID_STATE_DIR: { key: "stateDir", read: String },
  CENTROID_LOG_LEVEL: { key: "logLevel", read: String },
  CENTROID_TOKEN: { key: "adminToken", read: String },
  CENTROID_VIEWER_TOKEN: { key: "viewerToken", read: String },
  CENTROID_KEEP_ROOMS: { key: "keepRooms", read: asBoolean },
  CENTROID_CHECKPOINT_MS: { key: "checkpointMs", read: Number },
  CENTROID_COMPARE_MS: { key: "compareMs", read: Number },
  CENTROID_MAX_FRAMES_PER_SECOND: { key: "maxFramesPerSecond", read: Number },
  CENTROID_MAX_BYTES_PER_SECOND: { key: "maxBytesPerSecond", read: Number },
  CENTROID_MAX_REQUESTS_PER_SECOND: { key: "maxRequestsPerSecond", read: Number },
  CENTROID_LIMITS: { key: "limits", read: asBoolean },
  CENTROID_MAX_UNTAKEN_SEATS: { key: "maxUntakenSeats", read: Number },
  CENTROID_MAX_EMPTY_ROOMS: { key: "maxEmptyRooms", read: Number },
  CENTROID_REQUIRE_READ_TOKEN: { key: "requireReadToken", read: asBoolean },
  CENTROID_TRUST_PROXY: { key: "trustProxy", read: String },
  CENTROID_REDIS: { key: "redis", read: String },
  CENTROID_CLUSTER_URL: { key: "clusterUrl", read: String },
  CENTROID_TRACE: { key: "trace", read: String },
  CENTROID_ROOM_ENV: { key: "roomEnv", read: (text) => text.split(",").map((name) => name.trim()) },
  CENTROID_AGENT_TOKEN: { key: "agentToken", read: String },
};

function fromEnvironment(env: NodeJS.ProcessEnv): {
  found: Record<string, unknown>;
  variables: Map<string, string>;
} {
  const found: Record<string, unknown> = {};
  const variables = new Map<string, string>();
  for (const [name, { key, read }] of Object.entries(ENVIRONMENT)) {
    const text = env[name];
    if (text === undefined || text === "") continue;
    found[key] = read(text);
    variables.set(key, name);
  }
  return { found, variables };
}
