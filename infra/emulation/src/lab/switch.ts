/** The lab's backbone as a process: compiled on first use, driven over its control socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { waitFor } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { nativeProgram } from "./native.js";
import type { LinkProperties } from "./topology.js";

/** The control socket answers at once; longer means the process is gone. */
const answerTimeoutMs = 2000;

const trafficSchema = z.array(
  z.object({ from: z.string(), to: z.string(), frames: z.number(), bytes: z.number(), dropped: z.number() }),
);
/** What crossed each direction of each link since the lab came up. */
export type LinkTraffic = z.infer<typeof trafficSchema>[number];

/** Starts the switch with one port in each namespace. It outlives this process; the pid is for `lab down`. */
export async function startSwitch(options: {
  readonly directory: string;
  readonly programDirectory: string;
  readonly ports: readonly { readonly name: string; readonly namespacePath: string }[];
}): Promise<{ pid: number; controlPath: string }> {
  const program = await nativeProgram("switch", options.programDirectory);
  const controlPath = join(options.directory, "switch.sock");
  const log = openSync(join(options.directory, "switch.log"), "a");
  const ports = options.ports.map(({ name, namespacePath }) => `${name}=${namespacePath}`);
  const child: ChildProcess = spawn(program, [controlPath, ...ports], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} did not start`);
  await waitFor(`the switch (see ${options.directory}/switch.log)`, () => {
    if (child.exitCode !== null) throw new Error(`the switch ended; see ${options.directory}/switch.log`);
    return existsSync(controlPath);
  });
  return { pid: child.pid, controlPath };
}

function command(controlPath: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlPath);
    let answer = "";
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error("the lab's switch does not answer")));
    socket.on("connect", () => socket.write(`${line}\n`));
    socket.on("data", (data) => {
      answer += data.toString();
      if (!answer.endsWith("\n")) return;
      socket.end();
      if (answer.startsWith("error"))
        reject(new Error(`the lab's switch refused "${line}": ${answer.trim()}`));
      else resolve(answer);
    });
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      const gone = cause.code === "ECONNREFUSED" || cause.code === "ENOENT";
      const remedy = "the lab's backbone does not run: take the lab down and bring it up again";
      reject(gone ? new CentroidError("NOT_FOUND", remedy, { cause }) : cause);
    });
  });
}

/** Sets both directions. */
export async function setLink(
  controlPath: string,
  a: string,
  b: string,
  link: LinkProperties,
): Promise<void> {
  const oneWay = [
    Math.round((link.rttMs * 1000) / 2),
    Math.round(link.jitterMs * 1000),
    Math.round(link.loss * 1e6),
    Math.round(((link.megabitsPerS ?? 0) * 1e6) / 8),
    link.up ? 1 : 0,
  ].join(" ");
  await command(controlPath, `link ${a} ${b} ${oneWay}`);
  await command(controlPath, `link ${b} ${a} ${oneWay}`);
}

export async function readTraffic(controlPath: string): Promise<LinkTraffic[]> {
  return trafficSchema.parse(JSON.parse(await command(controlPath, "stats")));
}

/** Where each MAC (12 hex digits) was heard last, by the name of the place. */
export async function readPlaces(controlPath: string): Promise<Record<string, string>> {
  return z.record(z.string(), z.string()).parse(JSON.parse(await command(controlPath, "where")));
}
