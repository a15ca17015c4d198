/** Other versions of Node, from the registry's packages that carry its programs; downloaded once, then kept. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);
const CACHE = join(import.meta.dirname, "../../node_modules/.cache/centroid-node");
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** The program of the newest release of that major version, or why it cannot be had. */
export async function nodeProgram(major: number): Promise<{ path: string } | { reason: string }> {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(CACHE, String(major));
  const path = join(folder, "node_modules", name, "bin/node");
  if (existsSync(path)) return { path };
  await mkdir(folder, { recursive: true });
  const npm = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock"];
  try {
    await exec("npm", [...npm, `${name}@${major}`], { timeout: DOWNLOAD_TIMEOUT_MS });
    return { path };
  } catch (cause) {
    const [line] = ((cause as { stderr?: string }).stderr ?? String(cause)).split("\n");
    return { reason: `${name}@${major} cannot be downloaded: ${line}` };
  }
}
