/**
 * An edge agent as a process of its own: config from CENTROID_AGENT (JSON), the token from its parent over IPC, since
 * other programs of the same user can read an environment. Without a parent the token is in the config. Ends with its
 * parent.
 */
import { type CarrierKind, CentroidError, printable } from "@centroid/protocol";
import { z } from "zod";
import { Agent } from "./agent.js";
import type { BrokerLinkState } from "./broker-link.js";
import type { Carrier, CarrierEvents } from "./carrier/carrier.js";
import { type CarrierFactories, makeApp } from "./carriers.js";
import { agentConfigSchema, type ResolvedAgentConfig } from "./config.js";
import { hostSpeed } from "./speed/host-speed.js";

/** What the starter may hear over IPC. */
type FromAgent =
  | { type: "connected" }
  | { type: "notice"; line: string }
  | { type: "broker"; url: string; state: BrokerLinkState["state"] }
  | { type: "refused"; code: string; message: string };

const tell = (message: FromAgent): void => {
  // A starter that has just gone hears nothing; its end is noticed by itself.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  else if (message.type === "notice") process.stderr.write(`${printable(message.line)}\n`);
  else if (message.type === "refused")
    process.stderr.write(`refused by the broker: ${printable(message.message)}\n`);
};

const failed =
  (what: string) =>
  (cause: unknown): void =>
    tell({ type: "notice", line: `${what}: ${CentroidError.from(cause).message}` });

function makeCarrier(
  factories: CarrierFactories,
  kind: CarrierKind,
  config: ResolvedAgentConfig,
  events: CarrierEvents,
): Carrier {
  const make = factories[kind];
  if (make === undefined)
    throw new CentroidError(
      "CARRIER_UNAVAILABLE",
      `agent ${config.hostId}: this program has no carrier "${kind}"`,
    );
  return make(config, events);
}

const fromParentSchema = z.strictObject({ token: z.string() });
/** Later: it is to end after so long at most, with its rooms elsewhere. */
const leaveSchema = z.strictObject({ leaveWithinMs: z.number().positive() });

/** What the parent says first; nothing without a parent, or once it has gone. */
function fromParent(): Promise<z.infer<typeof fromParentSchema> | undefined> {
  if (!process.connected) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    process.once("message", (raw) => resolve(fromParentSchema.parse(raw)));
    process.once("disconnect", () => resolve(undefined));
  });
}

/**
 * Runs an agent in this process until it is stopped or its parent ends.
 * @param factories how to make each kind of carrier that this program has
 */
export function runAgentProcess(factories: CarrierFactories): void {
  main(factories).catch((cause: unknown) => {
    const error = CentroidError.from(cause);
    tell({ type: "refused", code: error.code, message: error.message });
    process.exit(1);
  });
}

async function main(factories: CarrierFactories): Promise<void> {
  const given: unknown = JSON.parse(process.env.CENTROID_AGENT ?? "{}");
  const parsed = agentConfigSchema.safeParse({ ...Object(given), ...(await fromParent()) });
  if (!parsed.success) throw new CentroidError("CONFIG_INVALID", z.prettifyError(parsed.error));
  const config = parsed.data;
  const agent = new Agent({
    config,
    carriers: (events) => config.carriers.map((kind) => makeCarrier(factories, kind, config, events)),
    ...(config.app && { app: (events: CarrierEvents) => makeApp(config, events) }),
    measureSpeed: hostSpeed,
    notice: (line) => tell({ type: "notice", line }),
    onRefused: (error) => {
      tell({ type: "refused", code: error.code, message: error.message });
      void stop(1);
    },
    onConnected: () => tell({ type: "connected" }),
    onBroker: (url, { state }) => {
      if (process.connected) tell({ type: "broker", url, state });
    },
  });
  let stopping = false;
  const stop = async (code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await agent[Symbol.asyncDispose]().catch(failed("not everything could be ended"));
    process.exit(code);
  };
  // These reach the whole group, from a terminal or a service manager; a parent decides when its agents end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => (process.connected ? undefined : void stop(0)));
  process.on("disconnect", () => void stop(0));
  process.on("message", (raw) => {
    const { leaveWithinMs } = leaveSchema.parse(raw);
    void agent
      .leave(leaveWithinMs)
      .catch(failed("this host ends before its rooms are elsewhere"))
      .then(() => stop(0));
  });
  // The parent may have gone while this program was loading; an agent without one has no channel at all.
  if (process.send !== undefined && !process.connected) await stop(0);
  await agent.start();
}
