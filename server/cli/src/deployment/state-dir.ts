/** What outlives a start: tokens, the broker's store, built rooms. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unwritable } from "@centroid/protocol/node";

export type TokenName = "admin-token" | "viewer-token" | "agent-token" | "gateway-token";

export interface Token {
  value: string;
  /** True if it was made just now: to be shown once. */
  fresh: boolean;
}

export const adminTokenPath = (stateDir: string): string => join(stateDir, "admin-token");

/**
 * The token kept in `file`, readable by its owner only; made at the first start.
 * @throws CentroidError CONFIG_INVALID if it cannot be written
 */
export async function keepToken(stateDir: string, name: TokenName): Promise<Token> {
  const path = join(stateDir, name);
  const kept = await readFile(path, "utf8").catch(() => "");
  if (kept.trim() !== "") return { value: kept.trim(), fresh: false };
  const value = randomBytes(24).toString("base64url");
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await writeFile(path, `${value}\n`, { mode: 0o600 });
  } catch (cause) {
    throw unwritable(stateDir, cause);
  }
  return { value, fresh: true };
}
