/** Starts an edge agent as a child process and waits until its broker has welcomed it. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CentroidError, errorCodeSchema } from "@centroid/protocol";
import { endChild } from "@centroid/protocol/node";
import { z } from "zod";
import type { BrokerLinkState } from "./broker-link.js";
import { withoutSecrets } from "./carrier/room-environment.js";
import { type AgentConfig, agentConfigSchema } from "./config.js";

const AGENT_MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
/** An agent that has not ended by then is killed; its room host may take a little less. */
const STOP_TIMEOUT_MS = 8_000;

const fromAgentSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("connected") }),
  z.object({ type: z.literal("notice"), line: z.string() }),
  z.object({
    type: z.literal("broker"),
    url: z.string(),
    state: z.enum(["dialling", "connected", "away", "refused"]),
  }),
  z.object({ type: z.literal("refused"), code: errorCodeSchema, message: z.string() }),
]);

export interface AgentProcess extends AsyncDisposable {
  readonly hostId: string;
  readonly pid: number;
  /** How it stands with each of its brokers, by URL. */
  readonly brokers: ReadonlyMap<string, BrokerLinkState["state"]>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
  /** Has brokers move its rooms to other hosts, then ends; resolves when it has, after little more than this at most. */
  leave(withinMs: number): Promise<void>;
}

/**
 * @throws CentroidError CONFIG_INVALID, or what the broker refused it with
 */
export async function startAgent(
  config: AgentConfig,
  options: {
    signal?: AbortSignal;
    onNotice?: (line: string) => void;
    /** Program to run: one that has the carriers asked for; the agent of this package if not given. */
    program?: string;
    /** Network namespace to run in. */
    namespace?: string;
  } = {},
): Promise<AgentProcess> {
  const parsed = agentConfigSchema.safeParse(config);
  if (!parsed.success) throw new CentroidError("CONFIG_INVALID", `agent: ${z.prettifyError(parsed.error)}`);
  const { token, ...open } = parsed.data;
  const child = fork(options.program ?? AGENT_MAIN, [], {
    env: { ...withoutSecrets(process.env), CENTROID_AGENT: JSON.stringify(open) },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    ...(options.namespace !== undefined && {
      execPath: "ip",
      execArgv: ["netns", "exec", options.namespace, process.execPath],
    }),
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  // One that could not be started has no channel; that is told by its error.
  child.send({ token }, () => undefined);
  const brokers = new Map<string, BrokerLinkState["state"]>();
  const agent: AgentProcess = {
    hostId: config.hostId,
    brokers,
    pid: child.pid ?? -1,
    exited,
    kill: (signal) => void child.kill(signal),
    async leave(withinMs) {
      if (child.connected) child.send({ leaveWithinMs: withinMs }, () => undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, withinMs + STOP_TIMEOUT_MS);
      });
      await Promise.race([exited, late]);
      clearTimeout(timer);
      await endChild(child, STOP_TIMEOUT_MS);
    },
    async [Symbol.asyncDispose]() {
      await endChild(child, STOP_TIMEOUT_MS);
    },
  };
  const onAbort = (): void => void agent[Symbol.asyncDispose]();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  void exited.then(() => options.signal?.removeEventListener("abort", onAbort));
  await new Promise<void>((resolve, reject) => {
    child.on("message", (raw) => {
      const message = fromAgentSchema.parse(raw);
      if (message.type === "connected") resolve();
      else if (message.type === "notice") options.onNotice?.(message.line);
      else if (message.type === "broker") brokers.set(message.url, message.state);
      else reject(new CentroidError(message.code, message.message));
    });
    child.once("error", reject);
    void exited.then(({ code, signal }) =>
      reject(
        new CentroidError("HOST_LOST", `agent ${config.hostId} ended at once (${signal ?? `code ${code}`})`),
      ),
    );
  });
  return agent;
}
