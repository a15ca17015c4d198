/** Starts a broker: store, parts, port; finds rooms and open moves of an earlier one again. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { CentroidError, type Host, shardOf } from "@centroid/protocol";
import { addressKey, authority, DisposalStack } from "@centroid/protocol/node";
import { RECENT_RECEIPTS } from "./api/event-feed.js";
import { EventSocket } from "./api/event-socket.js";
import { useTls } from "./api/tls-port.js";
import { untilStoreAnswers } from "./base/await-store.js";
import { systemClock } from "./base/clock.js";
import { randomIds } from "./base/ids.js";
import { DEFAULT_LIMITS } from "./base/limits.js";
import type { Logger } from "./base/logger.js";
import { openBrokerLog } from "./broker-log.js";
import { onClusterMessage } from "./cluster/cluster-messages.js";
import { SingleBroker } from "./cluster/single.js";
import { assemble } from "./compose.js";
import { assembleHttp } from "./compose-http.js";
import type { EventFilter, EventListener, Snapshot } from "./events/event-hub.js";
import { AppProxy } from "./gateway/app-proxy.js";
import { RegistryDirectory } from "./gateway/directory.js";
import { GatewayLinks } from "./gateway/gateway-links.js";
import { dialledBy } from "./gateway/way.js";
import { AgentServer } from "./hosts/agent-server.js";
import { AgentTokens } from "./hosts/agent-tokens.js";
import { hostView } from "./hosts/host-registry.js";
import { LateHosts } from "./hosts/late-hosts.js";
import { RoomGrants } from "./hosts/room-grants.js";
import { OpenMoves } from "./moves/open-moves.js";
import {
  type BrokerOptions,
  DEFAULT_BIND_HOST,
  DEFAULT_HEARTBEAT_INTERVAL_MS,
  DEFAULT_PORT,
  DEFAULT_REJOIN_GRACE_MS,
} from "./options.js";
import { newToken, recall } from "./recall.js";
import { endRooms } from "./rooms/end-rooms.js";
import { Allowance } from "./seats/allowance.js";
import { Matchmaker } from "./seats/matchmaker.js";
import { PlayerIdentity } from "./seats/player-identity.js";
import { PlayerTokens } from "./seats/player-tokens.js";
import { RoomFactory } from "./seats/room-factory.js";
import { RoomQuestions } from "./seats/room-questions.js";
import { Travel } from "./seats/travel.js";
import { FolderLock } from "./store/folder-lock.js";
import { GuardedStore } from "./store/guarded-store.js";
import { LmdbStore } from "./store/lmdb-store.js";
import { MemoryStore } from "./store/memory-store.js";
import type { Store } from "./store/store.js";
import { StoreEnded } from "./store/store-process.js";
import { assertWritable } from "./store/writable-folder.js";
import { TraceFile } from "./trace-file.js";

const SWEEP_MS = 1_000;
/** What is saved of rooms that are over is found within this. */
const ORPHANS_MS = 30_000;
/** A process of the store that was killed is there again by then; one that cannot live on what it finds never is. */
const OWN_STORE_WAIT_MS = 10_000;

/** The gateway on the broker's own port; those in processes of their own have names that operators give. */
const OWN_GATEWAY_ID = "broker";
/** Of several brokers each has one. */
const ownGatewayId = (brokerId: string, alone: boolean): string =>
  alone ? OWN_GATEWAY_ID : `${OWN_GATEWAY_ID}-${brokerId}`;

/** A broker that listens. Disposing it ends it; rooms and players go on. */
export interface Broker extends AsyncDisposable {
  readonly brokerId: string;
  /** `http://host:port` */
  readonly url: string;
  readonly port: number;
  readonly adminToken: string;
  /** Reads everything, orders nothing. */
  readonly viewerToken: string;
  readonly agentToken: string;
  /** For an agent beside this broker: its host's own token, or the shared one. */
  agentTokenOf(hostId: string): Promise<string>;
  readonly gatewayToken: string;
  /** Hosts that had rooms before a restart are back, or were waited for long enough. At once on a fresh store. */
  readonly ready: Promise<void>;
  hosts(): Host[];
  /**
   * Lets nobody in any more and ends the rooms on these hosts, with their authors' hooks, as when Colyseus ends. To be
   * called before these hosts and this broker end; without it, rooms are kept for the next start or other brokers.
   */
  endRooms(hostIds: readonly string[]): Promise<void>;
  readonly events: {
    snapshot(): Snapshot;
    /**
     * @param wants only these events are made; all if not given
     * @returns what ends the subscription
     */
    subscribe(listener: EventListener, wants?: EventFilter): () => void;
  };
}

/**
 * Starts a broker and resolves when it listens.
 * @throws CentroidError PORT_IN_USE, or CONFIG_INVALID if its folder is another broker's or cannot be written
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { storeDir, clock = systemClock } = options;
  const teardown = new DisposalStack();
  try {
    if (storeDir !== undefined) {
      assertWritable(storeDir);
      const lock = await FolderLock.take(storeDir, `a broker on port ${options.port ?? DEFAULT_PORT}`);
      teardown.use(lock);
    }
    // Next to the store if there is one, so that operators' actions are on record and terminals stay quiet.
    const file = storeDir === undefined ? {} : { file: join(storeDir, "broker.log") };
    const logger = options.logger ?? teardown.use(openBrokerLog({ ...file, level: options.logLevel }));
    const embedded = (folder: string): Store =>
      new LmdbStore(folder, (why) => logger.error({}, `the store in ${folder} is opened anew: ${why}`));
    const inner = options.store ?? (storeDir === undefined ? new MemoryStore() : embedded(storeDir));
    if (options.store === undefined) teardown.use(inner);
    const where = storeDir === undefined ? "the store" : `the folder ${storeDir}`;
    const shared = options.cluster !== undefined;
    const store = new GuardedStore({ inner, where, shared, clock, logger });
    teardown.defer(() => store.stop());
    return await start({ ...options, clock, logger }, store, teardown);
  } catch (cause) {
    await teardown[Symbol.asyncDispose]();
    throw cause;
  }
}

async function start(
  options: BrokerOptions & { logger: Logger },
  store: GuardedStore,
  teardown: DisposalStack,
): Promise<Broker> {
  const cluster = options.cluster ?? new SingleBroker();
  const newId = options.newId ?? randomIds();
  // A shared store may be away for a while, and the process of one's own be killed; a full disk needs somebody.
  const available = <T>(ask: () => Promise<T>): Promise<T> =>
    untilStoreAnswers(ask, {
      ...(options.cluster === undefined && {
        forMs: OWN_STORE_WAIT_MS,
        helps: ({ cause }) => cause instanceof StoreEnded,
      }),
      onWaiting: (cause) => options.logger.warn({ cause }, `the start waits: ${cause.message}`),
    });
  const recalled = await available(() => recall(options, store, newId, RECENT_RECEIPTS));
  const { brokerId, remembered, open, recentReceipts, playerKey } = recalled;
  const { adminToken, viewerToken, agentToken, gatewayToken } = recalled;
  const grants = new RoomGrants(recalled.grantKey);
  const trace =
    options.traceFile === undefined ? undefined : await TraceFile.create(options.traceFile, options.logger);
  if (trace !== undefined) teardown.use(trace);
  const core = assemble({
    ...options,
    record: trace?.write,
    brokerId,
    store,
    remembered,
    openMoves: new OpenMoves(open),
    grants,
    recentReceipts,
    cluster,
    shared: options.cluster !== undefined,
    adminToken,
  });
  const { clock, hosts, migrator, loop, liveness, router, logger, players } = core;
  const { hub } = core.feed;
  await available(() => core.farewell.recall());
  const tokens = new PlayerTokens(playerKey, clock, newId, options.playerTokenLifeMs);
  const identity = new PlayerIdentity({ tokens, players, store, clock, logger });
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? DEFAULT_HEARTBEAT_INTERVAL_MS;

  const agentTokens = new AgentTokens(
    {
      ...{ shared: agentToken, store, cluster, newToken, logger },
      onRevoked: (hostId) => agents.drop(hostId),
    },
    recalled.values,
  );
  const agents = new AgentServer({
    brokerId,
    tokens: agentTokens,
    heartbeatIntervalMs,
    grants,
    leaseMs: core.leaseMs,
    tracked: core.tracked,
    clock,
    logger: options.logger,
    onHello: (hello, link) => {
      liveness.hello(hello, link);
      core.answers.greeted(hello.hostId);
    },
    onHeartbeat: (hostId, heartbeat, answer) => {
      if (liveness.heartbeat(hostId, heartbeat)) core.answers.heartbeat(hostId, answer);
    },
    countsForMs: () => cluster.countsForMs(),
    onRoom: (hostId, message) => router.route(hostId, message),
    onCounts: (hostId, counts) => router.count(hostId, counts),
    onCheckpoint: (hostId, saved) => router.checkpoint(hostId, saved),
    onAsked: (question, hostId) => questions.answer(question, hostId),
    onLeaving: (hostId, withinMs) => core.hostOrders.leaves(hostId, withinMs),
    onClosed: (link) => liveness.closed(link),
  });
  core.events.on("tracking.changed", () => agents.dealtAnew());
  core.events.on("host.forgotten", ({ host: { facts } }) => {
    agents.forget(facts.hostId);
    core.answers.forget(facts.hostId);
  });
  const stopping = new AbortController();
  /** Rooms are ending: nobody else may come in. */
  const closing = new AbortController();
  let listens = (): void => undefined;
  // Before that agents are refused, and count on so long a wait from then on.
  const listening = new Promise<void>((resolve) => {
    listens = resolve;
  });
  const graceMs = options.rejoinGraceMs ?? DEFAULT_REJOIN_GRACE_MS;
  const awaited = listening.then(() => core.takeover.awaitHosts(open, graceMs, stopping.signal));
  // Who joins need not wait for hosts that do not find this broker.
  const waited = listening.then(() => new Promise<void>((resolve) => clock.after(graceMs, resolve)));
  const ready = Promise.race([awaited, waited]);
  const limits = options.limits === false ? undefined : { ...DEFAULT_LIMITS, ...options.limits };
  const ofAddress = new Allowance(limits?.perAddress, "address");
  const ofPlayer = new Allowance(limits?.perPlayer, "player");
  const leaving = AbortSignal.any([stopping.signal, closing.signal]);
  const { firstHostWithinMs } = options;
  const lateHosts = new LateHosts({ ...core, firstHostWithinMs, signal: leaving });
  const factory = new RoomFactory({ ...core, lateHosts });
  const matchmaker = new Matchmaker({
    ...core,
    factory,
    identity,
    ready,
    addressAllowance: ofAddress,
    playerAllowance: ofPlayer,
  });
  const dialled = dialledBy(options);
  const travel = new Travel({ ...core, factory, dialled });
  const questions = new RoomQuestions({ ...core, factory, dialled, travel, store });
  const events = new EventSocket(hub, () => core.metrics.slowSubscribers.inc());
  const directoryFor = (gatewayId: string): RegistryDirectory =>
    new RegistryDirectory({ ...core, tokenOf: (hostId) => agents.tokenOf(hostId) }, gatewayId);
  const gateways = new GatewayLinks({ token: gatewayToken, directoryFor, clock });
  const gatewayId = ownGatewayId(brokerId, options.cluster === undefined);
  const gateway = options.gateway?.({
    gatewayId,
    directory: directoryFor(gatewayId),
    trustProxy: options.trustProxy,
    addressKey,
    limited: limits !== undefined,
  });
  const project = options.app === true ? new AppProxy(hosts) : undefined;
  const app = await assembleHttp({
    options,
    core,
    brokerId,
    adminToken,
    viewerToken,
    identity,
    matchmaker,
    ready,
    requestLimit: limits?.requests,
    closing: closing.signal,
    agents,
    agentTokens,
    events,
    gatewayId,
    gateway,
    app: project,
    gateways,
  });
  const tls = options.tls && (await useTls(app.server, options.tls, logger));
  let lookAtHosts: NodeJS.Timeout | undefined;
  const look = (): void => {
    lookAtHosts = setTimeout(look, liveness.sweep());
  };
  look();
  const sweep = setInterval(() => {
    core.seats.sweep();
    ofAddress.sweep();
    ofPlayer.sweep();
    core.standbys.sweep();
  }, SWEEP_MS);
  const lookForOrphans = setInterval(() => void core.orphanedCheckpoints.sweep(), ORPHANS_MS);
  // Later ones go first: no new work, then the port and the agents' links, then the store.
  teardown.defer(async () => {
    events[Symbol.dispose]();
    const closed = app.close();
    // The port closes only when the agents' and players' connections have ended.
    agents[Symbol.dispose]();
    gateways[Symbol.dispose]();
    core.brokerLinks[Symbol.dispose]();
    gateway?.[Symbol.dispose]();
    project?.[Symbol.dispose]();
    tls?.[Symbol.dispose]();
    await closed;
  });
  teardown.defer(async () => {
    clearTimeout(lookAtHosts);
    clearInterval(sweep);
    clearInterval(lookForOrphans);
    stopping.abort();
    migrator.stop();
    liveness.stop();
    core.failover.stop();
    core.standbys.stop();
    loop[Symbol.dispose]();
    core.scheduler[Symbol.dispose]();
    core.roomTalk[Symbol.dispose]();
    // Others on the same store could give the rooms away.
    if (options.cluster === undefined)
      await core.farewell.say((hostId, leaseMs) => agents.goodbye(hostId, leaseMs));
  });

  const bindHost = options.bindHost ?? DEFAULT_BIND_HOST;
  const wanted = options.port ?? DEFAULT_PORT;
  await app.listen({ host: bindHost, port: wanted }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause;
    throw new CentroidError(
      "PORT_IN_USE",
      `port ${wanted} on ${bindHost} is in use; choose another with --port or CENTROID_PORT`,
      { cause },
    );
  });
  listens();
  core.farewell.begin();
  const { port } = app.server.address() as AddressInfo;
  const shown = bindHost === "0.0.0.0" || bindHost === "::" ? "127.0.0.1" : bindHost;
  const url = `http://${authority(shown, port)}`;
  core.events.on("room.offered", ({ room: { roomId }, place }) => {
    if (cluster.members().length > 1) cluster.publish("place", { roomId, ...place });
  });
  const reloadTokens = (): void => {
    agentTokens
      .reload()
      .catch((cause: unknown) => logger.warn({ cause }, "tokens of hosts could not be read"));
  };
  const self = { brokerId, url: options.clusterUrl ?? url };
  await available(() =>
    cluster.join(self, {
      acquired: (shards) => {
        // What others said while this broker had no lease has not arrived.
        reloadTokens();
        core.tracked.acquired(shards);
        players.dealtAnew();
        awaited
          .then(() => core.takeover.takeOver(shards, stopping.signal))
          .then(() => core.orphanedCheckpoints.sweep())
          .then(() => core.sessionReports.askAnew((roomId) => shards.includes(shardOf(roomId))))
          .catch((cause: unknown) => logger.error({ cause }, "rooms could not be taken over"));
      },
      released: (shards) => {
        core.tracked.released(shards);
        players.dealtAnew();
        logger.info({ shards: shards.length }, "other brokers decide about these shards from now on");
      },
      dealt: (shards) => core.sessionWays.dealt(shards),
      message: (message) =>
        onClusterMessage(message, {
          onEvent: (change) => {
            if (change.type === "receipt") core.ends.recorded(change.receipt);
            hub.emit(change.type, () => change);
          },
          onHostState: (...order) => core.hostOrders.apply(...order),
          onHostAsked: ({ hostId, given }) => {
            if (given === undefined) liveness.askedByBroker(hostId);
            else
              void core.answers
                .withdraws(hostId, given)
                .then((done) => liveness.askedByBroker(hostId, done ? given.askId : undefined));
          },
          onHostHeard: (answer, from) => {
            liveness.heardByBroker(answer.hostId, answer.agoMs, from);
            core.giveAways.heard(from, answer);
          },
          onPlace: ({ roomId, ...place }) => {
            const room = core.rooms.get(roomId);
            if (room !== undefined) core.rooms.offeredElsewhere(room, place);
          },
          onAgentTokens: reloadTokens,
          onGatewayLegs: ({ gatewayId, hosts: measured }) => core.legs.reportedToBroker(gatewayId, measured),
          logger,
        }),
    }),
  );
  return {
    brokerId,
    url,
    port,
    adminToken,
    viewerToken,
    agentToken,
    agentTokenOf: (hostId) => agentTokens.forAgentHere(hostId),
    gatewayToken,
    ready,
    hosts: () => [...hosts.values()].map(hostView),
    async endRooms(hostIds) {
      closing.abort();
      loop[Symbol.dispose]();
      core.scheduler[Symbol.dispose]();
      core.roomTalk[Symbol.dispose]();
      const { rooms, records } = core;
      await endRooms({ hosts, rooms, remembered, records, clock, logger }, hostIds);
    },
    events: { snapshot: () => hub.snapshot(), subscribe: (...wanted) => hub.subscribe(...wanted) },
    [Symbol.asyncDispose]: () => teardown[Symbol.asyncDispose](),
  };
}
