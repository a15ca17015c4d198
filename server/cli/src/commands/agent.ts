/** `centroid agent`: one edge agent on this machine, for brokers elsewhere, until Ctrl-C. */
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import type { AgentConfig } from "@centroid/agent";
import { isolationSchema } from "@centroid/agent/isolation";
import { roomEnvironment } from "@centroid/agent/room-environment";
import { type CarrierKind, CentroidError, printable } from "@centroid/protocol";
import type { RoomsBundle } from "@centroid/room-host/bundling";
import { type Command, Option } from "commander";
import { loadConfig } from "../config/config.js";
import { noticeSlowTransport } from "../deployment/transport-notice.js";
import { parseDuration } from "../terminal/duration.js";
import { fail, notice, print, printJson } from "../terminal/output.js";
import { untilStopped } from "../terminal/until-stopped.js";

interface AgentFlags {
  broker: string;
  tokenFile?: string;
  hostId: string;
  name?: string;
  lat: number;
  lon: number;
  region?: string;
  capacity?: number;
  cost?: number;
  rooms?: string;
  app?: string;
  carrier: CarrierKind;
  isolation?: AgentConfig["isolation"];
  vm?: string;
  container?: string;
  bindHost?: string;
  advertiseHost?: string;
  port?: number;
  stateDir?: string;
  roomEnv?: string[];
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  deadline: number;
  json?: boolean;
}

const DEFAULT_LEAVE_MS = 30_000;

/** Each flag can be given by environment, for units and containers. */
const required = (flags: string, about: string, env: string): Option =>
  new Option(flags, about).env(env).makeOptionMandatory();
const optional = (flags: string, about: string, env: string): Option => new Option(flags, about).env(env);

export function registerAgent(program: Command): void {
  program
    .command("agent")
    .description("run an edge agent on this machine and join it to brokers elsewhere")
    .addOption(required("--broker <urls>", "comma-separated broker URLs", "CENTROID_BROKERS"))
    .addOption(
      optional(
        "--token-file <file>",
        "file with the agent token (or CENTROID_AGENT_TOKEN)",
        "CENTROID_TOKEN_FILE",
      ),
    )
    .addOption(required("--host-id <id>", "stable id of this host", "CENTROID_HOST_ID"))
    .addOption(optional("--name <name>", "display name (default: the id)", "CENTROID_HOST_NAME"))
    .addOption(required("--lat <degrees>", "latitude of this host", "CENTROID_LATITUDE").argParser(Number))
    .addOption(required("--lon <degrees>", "longitude of this host", "CENTROID_LONGITUDE").argParser(Number))
    .addOption(optional("--region <name>", "region, for rooms restricted to one", "CENTROID_REGION"))
    .addOption(
      optional("--capacity <rooms>", "maximum number of rooms (default 200)", "CENTROID_CAPACITY").argParser(
        Number,
      ),
    )
    .addOption(
      optional(
        "--cost <amount>",
        "cost per hour while rooms run here; placement weighs it",
        "CENTROID_COST",
      ).argParser(Number),
    )
    .addOption(optional("--rooms <dir>", "folder with one room file per type", "CENTROID_ROOMS"))
    .addOption(
      optional(
        "--app <file>",
        "in place of --rooms: file that exports a Colyseus project's server",
        "CENTROID_APP",
      ),
    )
    .addOption(
      optional("--carrier <kind>", "what rooms run in", "CENTROID_CARRIER")
        .choices(["process", "vm", "container"])
        .default("process"),
    )
    .addOption(
      optional(
        "--isolation <kind>",
        "with --carrier process: one process for all rooms, per core or per room (default core)",
        "CENTROID_ISOLATION",
      ).choices(isolationSchema.options),
    )
    .addOption(
      optional("--vm <file>", "with --carrier vm: JSON file with this host's settings", "CENTROID_VM"),
    )
    .addOption(
      optional(
        "--container <file>",
        "with --carrier container: JSON file with this host's settings",
        "CENTROID_CONTAINER",
      ),
    )
    .addOption(
      optional("--bind-host <address>", "address to listen on (default 127.0.0.1)", "CENTROID_BIND_HOST"),
    )
    .addOption(
      optional(
        "--advertise-host <name>",
        "name or address players use to reach this host",
        "CENTROID_ADVERTISE_HOST",
      ),
    )
    .addOption(
      optional(
        "--port <number>",
        "port of the latency beacon (default: any free port)",
        "CENTROID_BEACON_PORT",
      ).argParser(Number),
    )
    .addOption(optional("--state-dir <dir>", "folder for built rooms", "CENTROID_STATE_DIR"))
    .addOption(
      optional(
        "--room-env <names>",
        "comma-separated environment variables that rooms may see",
        "CENTROID_ROOM_ENV",
      ).argParser((names: string) => names.split(",").map((name) => name.trim())),
    )
    .addOption(
      optional("--tls-ca <file>", "for mutual TLS: certificate authority of the brokers", "CENTROID_TLS_CA"),
    )
    .addOption(optional("--tls-cert <file>", "for mutual TLS: this agent's certificate", "CENTROID_TLS_CERT"))
    .addOption(optional("--tls-key <file>", "for mutual TLS: its private key", "CENTROID_TLS_KEY"))
    .addOption(
      optional(
        "--deadline <time>",
        "at SIGTERM or Ctrl-C: time for its rooms to move to other hosts, such as 30s or 2m; 0s: none",
        "CENTROID_LEAVE_DEADLINE",
      )
        .argParser(parseDuration)
        .default(DEFAULT_LEAVE_MS, "30s"),
    )
    .option("--json", "machine-readable output")
    .action(async (flags: AgentFlags) => {
      const json = flags.json === true;
      const stop = untilStopped();
      try {
        const say = (line: string): void => void (stop.aborted || notice(printable(line)));
        const config = await agentConfig(flags, say);
        if (flags.carrier === "process") await noticeSlowTransport(say);
        stop.throwIfAborted();
        const [{ startAgent }, { AGENT_PROGRAMS }] = await Promise.all([
          import("@centroid/agent"),
          import("../deployment/agent-programs.js"),
        ]);
        const program = AGENT_PROGRAMS[flags.carrier];
        const starting = new AbortController();
        const giveUp = (): void => starting.abort();
        stop.addEventListener("abort", giveUp, { once: true });
        await using agent = await startAgent(config, {
          onNotice: say,
          signal: starting.signal,
          ...(program !== undefined && { program }),
        });
        // From here on it has rooms, which are to be elsewhere first.
        stop.removeEventListener("abort", giveUp);
        if (json) printJson({ type: "started", hostId: agent.hostId, roomTypes: config.roomTypes });
        else print(`${agent.hostId} has joined; rooms: ${config.roomTypes?.join(", ")}`);
        const stopped = new Promise<undefined>((resolve) => {
          if (stop.aborted) resolve(undefined);
          stop.addEventListener("abort", () => resolve(undefined), { once: true });
        });
        const ended = await Promise.race([agent.exited, stopped]);
        if (stop.aborted) {
          const { deadline } = flags;
          if (!json)
            print(
              deadline > 0
                ? `stopping: its rooms move to other hosts, within ${deadline / 1_000} s; Ctrl-C again ends it at once`
                : "stopping: brokers restore its rooms elsewhere from their last save",
            );
          if (deadline > 0) await agent.leave(deadline);
        }
        if (ended !== undefined && !stop.aborted)
          throw new CentroidError("HOST_LOST", `the agent ended (${ended.signal ?? `code ${ended.code}`})`);
      } catch (cause) {
        if (!stop.aborted) fail(cause, json);
      }
    });
}

/** @throws CentroidError CONFIG_INVALID, CARRIER_UNAVAILABLE */
async function agentConfig(flags: AgentFlags, notice: (line: string) => void): Promise<AgentConfig> {
  const { stateDir, checkpointMs, compareMs, maxFramesPerSecond, maxBytesPerSecond, roomEnv } =
    await loadConfig({
      ...(flags.stateDir !== undefined && { stateDir: flags.stateDir }),
      ...(flags.roomEnv !== undefined && { roomEnv: flags.roomEnv }),
    });
  const { region, capacity, cost, bindHost, advertiseHost, port } = flags;
  const tls = certificate(flags);
  const token = await agentToken(flags.tokenFile);
  const rooms = await bundleOf(flags, join(stateDir, "rooms"), roomEnvironment(process.env, roomEnv));
  for (const line of rooms.notices) notice(line);
  return {
    brokerUrls: flags.broker.split(",").map((url) => url.trim().replace(/^http/, "ws").replace(/\/$/, "")),
    token,
    hostId: flags.hostId,
    name: flags.name ?? flags.hostId,
    latitude: flags.lat,
    longitude: flags.lon,
    ...(region !== undefined && { region }),
    ...(capacity !== undefined && { capacityRooms: capacity }),
    ...(cost !== undefined && { costPerHour: cost }),
    ...(bindHost !== undefined && { bindHost }),
    ...(advertiseHost !== undefined && { advertiseHost }),
    ...(port !== undefined && { port }),
    ...(tls !== undefined && { tls }),
    checkpointIntervalMs: checkpointMs,
    compareIntervalMs: compareMs,
    maxFramesPerSecond,
    maxBytesPerSecond,
    roomEnv,
    roomsBundle: rooms.path,
    roomTypes: rooms.roomTypes,
    roomWork: rooms.roomWork,
    app: flags.app !== undefined,
    warm: flags.carrier === "process",
    ...(await carrier(flags, rooms, stateDir, notice)),
  };
}

/** @throws CentroidError CONFIG_INVALID */
async function bundleOf(
  { rooms, app, carrier }: AgentFlags,
  into: string,
  environment: NodeJS.ProcessEnv,
): Promise<RoomsBundle> {
  if ((rooms === undefined) === (app === undefined))
    throw new CentroidError("CONFIG_INVALID", "give either --rooms or --app");
  if (app !== undefined && carrier !== "process")
    throw new CentroidError(
      "CONFIG_INVALID",
      "--app works with --carrier process only; pass the project's rooms with --rooms, or change the carrier",
    );
  const { bundleOnce } = await import("@centroid/room-host/bundling");
  return bundleOnce(app === undefined ? { rooms: rooms ?? "" } : { app }, into, environment);
}

async function carrier(
  flags: AgentFlags,
  rooms: RoomsBundle,
  stateDir: string,
  notice: (line: string) => void,
): Promise<Pick<AgentConfig, "carriers" | "isolation" | "vm" | "container" | "capacityRooms">> {
  if (flags.isolation !== undefined && flags.carrier !== "process")
    throw new CentroidError(
      "CONFIG_INVALID",
      `--isolation needs --carrier process; with ${flags.carrier} every room is apart from all others`,
    );
  for (const kind of ["vm", "container"] as const)
    if (flags[kind] !== undefined && flags.carrier !== kind)
      throw new CentroidError(
        "CONFIG_INVALID",
        `--${kind} needs --carrier ${kind}; add that or remove --${kind}`,
      );
  switch (flags.carrier) {
    case "process":
      // This machine is the host's own.
      return { isolation: flags.isolation ?? "core" };
    case "container":
      return containers(flags, rooms, stateDir, notice);
    case "vm":
      return machines(flags, rooms, stateDir, notice);
    default: {
      const never: never = flags.carrier;
      throw new CentroidError("BAD_REQUEST", `unknown carrier ${String(never)}`);
    }
  }
}

async function containers(
  flags: AgentFlags,
  rooms: RoomsBundle,
  stateDir: string,
  notice: (line: string) => void,
): Promise<Pick<AgentConfig, "carriers" | "container" | "capacityRooms">> {
  if (flags.container === undefined)
    throw new CentroidError(
      "CONFIG_INVALID",
      "--carrier container needs --container FILE; see docs/containers.md, Hosts of your own",
    );
  const { containerCapacity, prepareContainerHost, readContainerSettings } = await import(
    "@centroid/container-carrier"
  );
  const settings = await readContainerSettings(flags.container);
  const container = await prepareContainerHost(settings, { rooms, stateDir: resolve(stateDir), notice });
  return {
    carriers: ["container"],
    container,
    capacityRooms: flags.capacity ?? containerCapacity(container, totalmem()),
  };
}

async function machines(
  flags: AgentFlags,
  rooms: RoomsBundle,
  stateDir: string,
  notice: (line: string) => void,
): Promise<Pick<AgentConfig, "carriers" | "vm" | "capacityRooms">> {
  if (flags.vm === undefined)
    throw new CentroidError(
      "CONFIG_INVALID",
      "--carrier vm needs --vm FILE; see docs/vm.md, Hosts of your own",
    );
  if (flags.roomEnv !== undefined)
    throw new CentroidError(
      "CONFIG_INVALID",
      "--room-env does not work with --carrier vm: virtual machines do not see their host's environment; remove it",
    );
  const { prepareVmHost, readVmSettings, vmCapacity } = await import("@centroid/vm-carrier");
  const settings = await readVmSettings(flags.vm);
  const vm = await prepareVmHost(settings, { rooms, stateDir: resolve(stateDir), notice });
  return { carriers: ["vm"], vm, capacityRooms: flags.capacity ?? vmCapacity(vm) };
}

async function agentToken(file: string | undefined): Promise<string> {
  if (file !== undefined) {
    return (
      await readFile(file, "utf8").catch((cause: Error) => {
        throw new CentroidError("CONFIG_INVALID", `--token-file: ${cause.message}`, { cause });
      })
    ).trim();
  }
  const given = process.env.CENTROID_AGENT_TOKEN;
  if (given !== undefined && given !== "") return given;
  throw new CentroidError(
    "CONFIG_INVALID",
    "no agent token: pass --token-file FILE or set CENTROID_AGENT_TOKEN; the token is in the broker's state folder",
  );
}

function certificate({ tlsCa, tlsCert, tlsKey }: AgentFlags): AgentConfig["tls"] {
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined)
    throw new CentroidError("CONFIG_INVALID", "mutual TLS needs all of --tls-ca, --tls-cert and --tls-key");
  return { ca: tlsCa, cert: tlsCert, key: tlsKey };
}
