/**
 * What of an agent's environment room code gets to see: what Node and its libraries need to run, and what the
 * operator names. Tokens, addresses of stores and whatever else an agent was started with stay with the agent.
 */
import { z } from "zod";

const ALLOWED = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP"],
  ...["NODE_ENV", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "NODE_NO_WARNINGS", "NODE_V8_COVERAGE"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "UV_THREADPOOL_SIZE", "DEBUG", "NO_COLOR"],
  // Windows does not start a program without it.
  "SYSTEMROOT",
]);
const ALLOWED_PREFIX = "LC_";
/** Of the agent itself: never a room's. */
const OWN_PREFIX = "CENTROID_";
/** What an agent does not need of its starter's environment either. */
const SECRET = /^CENTROID_(.*TOKEN|REDIS)$/;

/** Name of a variable that rooms are to have. */
export const roomVariableSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "names of environment variables, comma between")
  .refine((name) => !name.startsWith(OWN_PREFIX), "variables that begin with CENTROID_ are not for rooms");

/**
 * @param from the agent's own environment
 * @param named what the operator passes on beyond what every program needs
 */
export function roomEnvironment(from: NodeJS.ProcessEnv, named: readonly string[]): Record<string, string> {
  const wanted = new Set(named);
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(from)) {
    const allowed = ALLOWED.has(name) || name.startsWith(ALLOWED_PREFIX) || wanted.has(name);
    if (allowed && value !== undefined && !name.startsWith(OWN_PREFIX)) found[name] = value;
  }
  return found;
}

/** An agent's environment without its starter's tokens: any program of the same user can read it. */
export function withoutSecrets(from: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !SECRET.test(name)));
}
