/** Everything on one machine: emulator (if distances are emulated), broker, and edge agents as processes of their own. */
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { type AgentConfig, roomEnvironment, startAgent } from "@centroid/agent";
import { loadWorld } from "@centroid/bots";
import { assertWritable, type Broker, type StoreWait, startBroker, WaitingPort } from "@centroid/broker";
import type { ContainerConfig } from "@centroid/container-carrier";
import { DEMO_ROOMS_DIR, DEMO_WEB_DIR } from "@centroid/demo";
import {
  type DeployLab,
  type DistanceEmulator,
  type DistanceEmulatorOptions,
  startContainerLab,
  startDeployLab,
  startDistanceEmulator,
} from "@centroid/emulation";
import { embeddedGateway } from "@centroid/gateway";
import { CentroidError } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleOnce, type RoomsBundle } from "@centroid/room-host/bundling";
import type { VmConfig } from "@centroid/vm-carrier";
import type { Config } from "../config/config.js";
import { AGENT_PROGRAMS } from "./agent-programs.js";
import { brokerLimits, checkConfig, tlsFiles } from "./broker-settings.js";
import { type HostSite, hostSites } from "./host-sites.js";
import { openPersistence } from "./persistence.js";
import { assertPortFree } from "./port.js";
import type { TokenName } from "./state-dir.js";
import { SupervisedAgent } from "./supervised-agent.js";
import { noticeSlowTransport } from "./transport-notice.js";

export interface Deployment extends AsyncDisposable {
  readonly broker: Broker;
  readonly emulator: DistanceEmulator | undefined;
  readonly agents: readonly { readonly hostId: string }[];
  /** Of its own hosts. */
  readonly roomTypes: readonly string[];
  readonly adminToken: string;
  /** True if the admin token was made at this start. */
  readonly tokenIsFresh: boolean;
  /** True if rooms outlive it, as last saved; otherwise they end first, with their authors' hooks. */
  readonly keepsRooms: boolean;
}

export interface DeploymentHooks {
  /** Things a person should know but need not act on. */
  notice: (line: string) => void;
  /** Gives up a start that is under way; a deployment that has started is disposed instead. */
  signal?: AbortSignal;
  /** Begins without the rooms of an earlier run, however that ended. */
  clean?: boolean;
}

const DEFAULT_SITE_ID = "frankfurt";
/** The one site of a network without distances. */
const HERE = "here";

/**
 * @throws CentroidError PORT_IN_USE before any process is started, CONFIG_INVALID for rooms that do not compile,
 * CARRIER_UNAVAILABLE; the signal's reason if it was aborted meanwhile
 */
export async function startDeployment(config: Config, hooks: DeploymentHooks): Promise<Deployment> {
  checkConfig(config);
  await assertPortFree(config.bindHost, config.port);
  const owned = new DisposalStack();
  try {
    return await start(config, hooks, owned);
  } catch (cause) {
    await owned[Symbol.asyncDispose]();
    throw cause;
  }
}

async function start(config: Config, hooks: DeploymentHooks, owned: DisposalStack): Promise<Deployment> {
  const sites = hostSites(config);
  if (sites.length > 0 && config.carrier === "process") await noticeSlowTransport(hooks.notice);
  assertWritable(config.stateDir);
  // Loading them takes as long as emulator and broker take to start. Of a broker alone nobody needs them.
  const bundling = sites.length > 0 ? bundleFor(config) : undefined;
  bundling?.catch(() => undefined);
  const { persistence, admin, viewer, agent, gateway } = await openStore(config, hooks, owned);
  hooks.signal?.throwIfAborted();
  // Without agents of its own it needs no machines either: agents elsewhere have theirs.
  const inLab = config.carrier !== "process" && bundling !== undefined;
  const lab = inLab ? owned.use(await startLab(config, sites, await bundling, hooks)) : undefined;
  hooks.signal?.throwIfAborted();
  const emulator = await startEmulatorFor(config, sites, lab);
  if (emulator !== undefined) owned.use(emulator);
  hooks.signal?.throwIfAborted();
  const dashboardDir = findDashboard();
  const broker = owned.use(
    await startBroker({
      bindHost: config.bindHost,
      port: config.port,
      ...persistence.broker,
      carrier: config.carrier,
      adminToken: admin.value,
      viewerToken: viewer.value,
      agentToken: agent.value,
      gatewayToken: gateway.value,
      gateway: embeddedGateway,
      // Its own hosts are no farther than it is; to those of other machines it may be a detour. Machines keep connections.
      carryStockPlayers: sites.length > 0 && config.carrier === "process",
      // Its own hosts are on their way, however long their rooms take to be bundled.
      ...(sites.length > 0 && { firstHostWithinMs: Number.POSITIVE_INFINITY }),
      emulated: config.emulate,
      app: config.app !== undefined,
      // The demo's pages are for the demo's rooms.
      ...(config.page !== undefined
        ? { playDir: resolve(config.page) }
        : config.app === undefined && { pagesDir: DEMO_WEB_DIR }),
      placement: config.placement,
      limits: config.limits && brokerLimits(config),
      requireReadToken: config.requireReadToken,
      ...tlsFiles(config),
      ...(config.publicUrl !== undefined && { publicUrl: config.publicUrl }),
      ...(config.trustProxy !== undefined && { trustProxy: config.trustProxy.split(",") }),
      ...(config.trace !== undefined && { traceFile: resolve(config.trace) }),
      ...(emulator !== undefined && { addressBook: emulator }),
      ...(emulator !== undefined && config.emulate && { emulationUrl: emulator.controlUrl }),
      ...(dashboardDir !== undefined && { dashboardDir }),
    }),
  );
  const rooms = await bundling;
  for (const line of rooms?.notices ?? []) hooks.notice(line);
  const agents = rooms === undefined ? [] : await startAgents(sites, config, broker, rooms, hooks, lab);
  // Other brokers have hosts of their own to build its rooms again; alone it has nobody to leave them to.
  const keepsRooms = config.keepRooms ?? config.redis !== undefined;
  // Rooms end while all else still runs, then agents, together; the broker goes last, so that none of them dials it again.
  owned.use({
    async [Symbol.asyncDispose]() {
      if (!keepsRooms) await broker.endRooms(agents.map(({ hostId }) => hostId));
      await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
      // It takes seconds, in which a broker that has ended would miss its agents.
      await lab?.[Symbol.asyncDispose]();
    },
  });
  hooks.signal?.throwIfAborted();
  return {
    broker,
    emulator,
    agents,
    roomTypes: rooms?.roomTypes ?? [],
    adminToken: admin.value,
    tokenIsFresh: admin.fresh,
    keepsRooms,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Store and tokens. While they cannot be had, the broker's port says why. */
async function openStore(config: Config, hooks: DeploymentHooks, owned: DisposalStack) {
  await using waiting = new WaitingPort(config.bindHost, config.port);
  const wait: StoreWait = {
    onWaiting: (why) => {
      hooks.notice(`${why.message}; waiting for it`);
      waiting.say(why);
    },
    signal: hooks.signal,
  };
  const persistence = await openPersistence(config, owned, wait, hooks.clean);
  const token = (name: TokenName, given: string | undefined) =>
    given === undefined ? persistence.token(name) : { value: given, fresh: false };
  const [admin, viewer, agent, gateway] = await Promise.all([
    token("admin-token", config.adminToken),
    token("viewer-token", config.viewerToken),
    token("agent-token", config.agentToken),
    token("gateway-token", config.gatewayToken),
  ]);
  return { persistence, admin, viewer, agent, gateway };
}

/** @throws CentroidError CONFIG_INVALID */
function bundleFor({ app, rooms, stateDir, roomEnv }: Config): Promise<RoomsBundle> {
  const into = join(stateDir, "rooms");
  const environment = roomEnvironment(process.env, roomEnv);
  return bundleOnce(app === undefined ? { rooms: rooms ?? DEMO_ROOMS_DIR } : { app }, into, environment);
}

type AnyLab = DeployLab<{ vm: VmConfig } | { container: ContainerConfig }>;

/** Rooms' machines or containers in a network of their own. */
function startLab(
  config: Config,
  sites: readonly HostSite[],
  rooms: RoomsBundle,
  hooks: DeploymentHooks,
): Promise<AnyLab> {
  const { rttTable } = loadWorld();
  const open = config.carrier === "vm" ? startDeployLab : startContainerLab;
  return open({
    name: `up${config.port === 0 ? process.pid : config.port}`,
    hostIds: sites.map(({ hostId }) => hostId),
    ...(config.emulate && { rttMs: (from: string, to: string) => rttTable[from]?.[to] ?? 0 }),
    rooms,
    stateDir: config.stateDir,
    notice: hooks.notice,
  });
}

/** Emulates distances, lets players into a lab, or both. */
async function startEmulatorFor(
  config: Config,
  sites: readonly HostSite[],
  lab: AnyLab | undefined,
): Promise<DistanceEmulator | undefined> {
  if (lab === undefined) return config.emulate ? emulate(sites) : undefined;
  const door = {
    namespace: lab.playersNamespace,
    controlPath: lab.lab.controlPath,
    hosts: lab.hosts,
  };
  if (config.emulate) return emulate(sites, door);
  return startDistanceEmulator({
    rttMs: { [HERE]: { [HERE]: 0 } },
    defaultSiteId: HERE,
    hosts: sites.map(({ hostId }) => ({ hostId, siteId: HERE })),
    lab: door,
  });
}

function emulate(
  sites: readonly HostSite[],
  lab?: DistanceEmulatorOptions["lab"],
): Promise<DistanceEmulator> {
  const world = loadWorld();
  const known = new Set(world.cities.map(({ cityId }) => cityId));
  const unknown = sites.find(({ hostId }) => !known.has(hostId));
  if (unknown !== undefined) {
    throw new CentroidError(
      "CONFIG_INVALID",
      `hosts: "${unknown.hostId}" is not a city of the demo world, so its distances cannot be emulated`,
    );
  }
  return startDistanceEmulator({
    rttMs: world.rttTable,
    // A player that has not said where it is starts here.
    defaultSiteId: DEFAULT_SITE_ID,
    hosts: sites.map(({ hostId }) => ({ hostId, siteId: hostId })),
    ...(lab !== undefined && { lab }),
  });
}

async function startAgents(
  sites: readonly HostSite[],
  config: Config,
  broker: Broker,
  rooms: RoomsBundle,
  hooks: DeploymentHooks,
  lab: AnyLab | undefined,
): Promise<SupervisedAgent[]> {
  const port = Number(new URL(broker.url).port);
  const brokerUrl = (await lab?.openBroker(port)) ?? broker.url.replace(/^http/, "ws");
  const program = AGENT_PROGRAMS[config.carrier];
  const started = await Promise.allSettled(
    sites.map(async (site, at) => {
      const say = (line: string): void => hooks.notice(`${site.name}: ${line}`);
      const agent: AgentConfig = {
        ...site,
        // On one machine its HTTP routes are served once.
        app: config.app !== undefined && at === 0,
        // Several hosts on one machine are for trying things out: most of them may never have a room.
        warm: config.carrier === "process" && sites.length === 1,
        brokerUrls: [brokerUrl],
        token: await broker.agentTokenOf(site.hostId),
        ...(lab === undefined ? addresses(config) : labAddresses(lab, site)),
        roomsBundle: rooms.path,
        roomTypes: rooms.roomTypes,
        roomWork: rooms.roomWork,
        checkpointIntervalMs: config.checkpointMs,
        compareIntervalMs: config.compareMs,
        maxFramesPerSecond: config.maxFramesPerSecond,
        maxBytesPerSecond: config.maxBytesPerSecond,
        roomEnv: config.roomEnv,
        carriers: [config.carrier],
        isolation: config.isolation,
      };
      return SupervisedAgent.start({
        start: () =>
          startAgent(agent, {
            onNotice: say,
            ...(lab !== undefined && { namespace: lab.agent(site.hostId).namespace }),
            ...(program !== undefined && { program }),
          }),
        notice: say,
        signal: hooks.signal,
      });
    }),
  );
  const agents = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
    throw CentroidError.from(failed.reason);
  }
  return agents;
}

/** Emulated distances are between processes of this machine, whatever the broker listens on. */
function addresses({
  bindHost,
  advertiseHost,
  emulate,
}: Config): Pick<AgentConfig, "bindHost" | "advertiseHost"> {
  if (emulate) return { bindHost: "127.0.0.1" };
  return { bindHost, ...(advertiseHost !== undefined && { advertiseHost }) };
}

/** Each has a process and memory of its own, so a host of one machine among many has few. */
const SANDBOXES_PER_HOST = 8;

function labAddresses(
  lab: AnyLab,
  { hostId, capacityRooms = SANDBOXES_PER_HOST }: HostSite,
): Pick<AgentConfig, "bindHost" | "vm" | "container" | "capacityRooms"> {
  const { address, namespace: _, ...settings } = lab.agent(hostId);
  return { bindHost: address, ...settings, capacityRooms };
}

function findDashboard(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("@centroid/dashboard/package.json")), "dist");
  } catch {
    return undefined;
  }
}
