/** Starts the emulator as a process of its own and keeps hold of it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { CentroidError } from "@centroid/protocol";
import { endChild } from "@centroid/protocol/node";
import { z } from "zod";
import {
  type DistanceEmulatorOptions,
  type EmulatorMessage,
  emulatorMessageSchema,
  emulatorOptionsSchema,
  type OwnerMessage,
} from "./config.js";
import { EmulatorControl } from "./control-client.js";
import { viaPath } from "./request.js";

const LOOPBACK = "127.0.0.1";
const LOOPBACK_HOSTS = new Set([LOOPBACK, "localhost"]);
/** A emulator that has not closed its connections by then is killed. */
const STOP_TIMEOUT_MS = 2_000;

/** Of players who did not say which network they are in. */
const NO_LABEL = "-";

export interface DistanceEmulator extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Base of the control API, for {@link EmulatorControl} in other processes. */
  readonly controlUrl: string;
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /**
   * The address under which a player with this network label reaches a host at its emulated distance.
   * @param address `host:port[/path]` on loopback; other addresses, and players without a label, are not relayed
   * @throws CentroidError HOST_NOT_FOUND for a host that the emulator was not started with
   */
  translate(address: string, hostId: string, network: string | undefined): string;
  /** Moves a label to a site of the table. @throws CentroidError NOT_FOUND */
  setSite(label: string, siteId: string): Promise<void>;
}

/**
 * Forks the emulator.
 * @param signal ends the emulator when aborted
 * @throws CentroidError CONFIG_INVALID | PORT_IN_USE | INTERNAL
 */
export async function startDistanceEmulator(
  options: DistanceEmulatorOptions,
  signal?: AbortSignal,
): Promise<DistanceEmulator> {
  const parsed = emulatorOptionsSchema.safeParse(options);
  if (!parsed.success)
    throw new CentroidError("CONFIG_INVALID", `emulator: ${z.prettifyError(parsed.error)}`);
  signal?.throwIfAborted();
  const { lab } = parsed.data;
  // In another network namespace loopback is another one: that process gets a socket of this one.
  const listener = lab === undefined ? undefined : await listenOnLoopback(parsed.data.port);
  const child = fork(fileURLToPath(new URL("./main.js", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    ...(lab !== undefined && {
      execPath: "ip",
      execArgv: ["netns", "exec", lab.namespace, process.execPath],
    }),
  });
  const exited = once(child, "exit").then(() => undefined);
  const send = (message: OwnerMessage) => {
    if (child.connected) child.send(message);
  };
  const stop = async () => {
    signal?.removeEventListener("abort", stop);
    await endChild(child, STOP_TIMEOUT_MS);
  };
  signal?.addEventListener("abort", stop, { once: true });

  const answer = new Promise<EmulatorMessage>((resolve, reject) => {
    child.once("message", (raw) => resolve(emulatorMessageSchema.parse(raw)));
    child.once("error", reject);
    exited.then(() => reject(new CentroidError("INTERNAL", "the emulator ended before it was listening")));
  });
  if (listener === undefined) send({ type: "start", options: parsed.data });
  else {
    child.send({ type: "start", options: parsed.data } satisfies OwnerMessage, listener);
    listener.close();
  }
  const started = await answer.catch(async (cause) => {
    await stop();
    throw CentroidError.from(cause);
  });
  if (started.type === "failed") {
    await stop();
    throw new CentroidError(started.code, started.message);
  }

  const { port } = started;
  const controlUrl = `http://${LOOPBACK}:${port}/control`;
  const control = new EmulatorControl(controlUrl);
  const hosts = new Set(parsed.data.hosts.map(({ hostId }) => hostId));
  const known = new Set<string>();
  /** Nobody outside reaches a lab's addresses, so everybody goes through the emulator. */
  const inLab = (address: string, network: string | undefined): string => {
    const [, host = "", targetPort = "", path = ""] = /^([^:/]+):(\d+)(\/.*)?$/.exec(address) ?? [];
    return `${LOOPBACK}:${port}${viaPath(network || NO_LABEL, host, Number(targetPort))}${path}`;
  };
  return {
    port,
    pid: child.pid ?? 0,
    controlUrl,
    exited,
    translate(address, hostId, network) {
      if (lab !== undefined) return network?.startsWith("host:") ? address : inLab(address, network);
      if (!network) return address;
      const [, host = "", targetPort = "", path = ""] = /^([^:/]+):(\d+)(\/.*)?$/.exec(address) ?? [];
      if (!LOOPBACK_HOSTS.has(host)) return address;
      if (!hosts.has(hostId)) {
        throw new CentroidError(
          "HOST_NOT_FOUND",
          `no host ${hostId} behind the emulator; start it with that host`,
        );
      }
      const target = { hostId, port: Number(targetPort) };
      const targetKey = `${hostId}/${target.port}`;
      const prefix = viaPath(network, hostId, target.port);
      if (!known.has(targetKey)) {
        known.add(targetKey);
        send({ type: "target", target });
      }
      return `${LOOPBACK}:${port}${prefix}${path}`;
    },
    setSite: (label, siteId) => control.setSite(label, siteId),
    [Symbol.asyncDispose]: stop,
  };
}

/** A listening socket on this process's own loopback. @throws CentroidError PORT_IN_USE */
async function listenOnLoopback(port: number): Promise<Server> {
  const listener = createServer();
  listener.listen({ host: LOOPBACK, port });
  await once(listener, "listening").catch((cause: unknown) => {
    throw new CentroidError("PORT_IN_USE", `port ${port} is in use; give the emulator another one, or 0`, {
      cause,
    });
  });
  return listener;
}
