/** Puts the parts of a broker together; nothing here listens, waits or decides. */
import type { Receipt, TakenWay } from "@centroid/protocol";
import { EventFeed } from "./api/event-feed.js";
import { Metrics } from "./api/metrics.js";
import { Views } from "./api/views.js";
import { systemClock } from "./base/clock.js";
import { randomIds } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import { BrokerLinks } from "./cluster/broker-links.js";
import type { Cluster } from "./cluster/cluster.js";
import { Emitter } from "./events/emitter.js";
import { Failover } from "./failover/failover.js";
import { FallbackWarmer } from "./failover/fallback-warmer.js";
import { FormerOwners } from "./failover/former-owners.js";
import { refusesConnections } from "./failover/refuses-connections.js";
import { RoomEnds } from "./failover/room-ends.js";
import { Standbys } from "./failover/standbys.js";
import { Takeover } from "./failover/takeover.js";
import { directAddresses } from "./hosts/address-book.js";
import { Farewell } from "./hosts/farewell.js";
import { GiveAways } from "./hosts/give-aways.js";
import { HostAnswers } from "./hosts/host-answers.js";
import type { HostEvents } from "./hosts/host-events.js";
import { HostOrders } from "./hosts/host-orders.js";
import { HostRegistry } from "./hosts/host-registry.js";
import { HostLiveness } from "./hosts/liveness.js";
import type { RoomGrants } from "./hosts/room-grants.js";
import { Crashes } from "./moves/crashes.js";
import { Migrator } from "./moves/migrator.js";
import type { MoveEvents } from "./moves/move-events.js";
import { MoveOrders } from "./moves/move-orders.js";
import type { OpenMoves } from "./moves/open-moves.js";
import { DEFAULT_MIGRATION_TIMES } from "./moves/times.js";
import {
  type BrokerOptions,
  DEFAULT_AGENT_RESTART_MS,
  DEFAULT_FAREWELL_LEASE_MS,
  DEFAULT_FORGET_AFTER_MS,
  DEFAULT_LOST_AFTER_MS,
  DEFAULT_REJOIN_GRACE_MS,
} from "./options.js";
import { DecisionLog } from "./placement/decision-log.js";
import { PlacementEngine, type Recording } from "./placement/engine.js";
import { FleetFeed } from "./placement/fleet-feed.js";
import { MoveScheduler } from "./placement/move-scheduler.js";
import type { PlacementEvents } from "./placement/placement-events.js";
import { PlacementLoop } from "./placement/placement-loop.js";
import { RoomTalk } from "./placement/room-talk.js";
import { GatewayLegs } from "./probes/gateway-legs.js";
import { PlayerRegistry } from "./probes/player-registry.js";
import { PlayerReports } from "./probes/player-reports.js";
import { type ProbeEvents, ProbeIntake } from "./probes/probe-intake.js";
import { SessionReports } from "./probes/session-reports.js";
import { SessionWays } from "./probes/session-ways.js";
import { takenWays } from "./probes/taken-ways.js";
import { EndedRooms } from "./rooms/ended-rooms.js";
import { RoomEventRouter } from "./rooms/event-router.js";
import { OrphanedCheckpoints } from "./rooms/orphaned-checkpoints.js";
import { OwnerRecords } from "./rooms/owner-records.js";
import { RoomReconciler } from "./rooms/reconciler.js";
import type { RoomEvents } from "./rooms/room-events.js";
import { RoomRegistry } from "./rooms/room-registry.js";
import { TrackedRooms } from "./rooms/tracked-rooms.js";
import { SeatExpiry } from "./seats/seat-expiry.js";
import type { GuardedStore } from "./store/guarded-store.js";
import type { RoomRecord } from "./store/store.js";

/** Everything that happens in a broker and that more than one part has to know. */
export type DomainEvents = HostEvents & RoomEvents & MoveEvents & PlacementEvents & ProbeEvents;

export interface CoreOptions extends BrokerOptions {
  brokerId: string;
  logger: Logger;
  store: GuardedStore;
  remembered: Map<string, RoomRecord>;
  openMoves: OpenMoves;
  grants: RoomGrants;
  cluster: Cluster;
  /** False if no other broker can be on the same store. */
  shared: boolean;
  adminToken: string;
  recentReceipts: readonly Receipt[];
  /** Gets what the placement is fed with and what it decides. */
  record?: Recording["record"] | undefined;
}

/** A silent host stops by itself so much before the broker counts it as lost. */
const LEASE_SHARE = 0.8;

export type Core = ReturnType<typeof assemble>;

/** The order of construction is the order in which parts that listen to the same event hear it. */
export function assemble(o: CoreOptions) {
  const { brokerId, store, logger, cluster, grants, openMoves, remembered } = o;
  const clock = o.clock ?? systemClock;
  const newId = o.newId ?? randomIds();
  const addresses = o.addressBook ?? directAddresses;
  const carrier = o.carrier ?? "process";
  const owns = (roomId: string): boolean => cluster.owns(roomId);
  const events = new Emitter<DomainEvents>();
  const lostAfterMs = o.lostAfterMs ?? DEFAULT_LOST_AFTER_MS;
  const leaseMs = lostAfterMs * LEASE_SHARE;

  const recording = o.record && { record: o.record, now: () => clock.now() };
  const waysOf = (roomId: string): TakenWay[] => {
    const room = rooms.get(roomId);
    return room === undefined ? [] : takenWays(room, { players, legs });
  };
  const engine = new PlacementEngine(o.placement ?? {}, newId, recording, waysOf);
  const decisions = new DecisionLog(events);
  const hosts = new HostRegistry();
  const rooms = new RoomRegistry(hosts, events);
  const players = new PlayerRegistry(engine, events, owns);
  const tracked = new TrackedRooms({ hosts, rooms, onChange: () => events.emit("tracking.changed", {}) });
  const views = new Views(engine, players);
  const records = new OwnerRecords({ rooms, store, events, owns, clock, logger });
  store.onRecovered((inner) => records.rewrite(inner));
  const orphanedCheckpoints = new OrphanedCheckpoints({
    store,
    shards: () => tracked.shards,
    isUnknown: (roomId) => owns(roomId) && rooms.get(roomId) === undefined && !remembered.has(roomId),
    logger,
  });

  const fallbackWarmer = new FallbackWarmer({ hosts, rooms, engine, events, clock, logger, carrier });
  const crashes = new Crashes();
  const ended = new EndedRooms(clock);
  const farewell = new Farewell({
    store,
    hosts,
    clock,
    logger,
    leaseMs: o.farewellLeaseMs ?? DEFAULT_FAREWELL_LEASE_MS,
  });
  const refuses = (address: string): Promise<boolean> => refusesConnections(address, clock);
  const giveAways = new GiveAways({ cluster, clock, newId, logger, leaseMs });
  const ends = new RoomEnds({ rooms, ended, events, store, owns, clock, newId, logger });
  const failover = new Failover({
    hosts,
    farewell,
    rooms,
    records,
    events,
    store,
    engine,
    fallbackWarmer,
    openMoves,
    crashes,
    ends,
    formerOwners: new FormerOwners({
      hosts,
      farewell,
      store,
      mayRunByOthers: (hostId) => liveness.mayRunByOthers(hostId),
      refuses,
    }),
    giveAways,
    refuses,
    owns,
    endOpenMove: (entry) => takeover.endLate(entry),
    clock,
    newId,
    logger,
  });
  const standbys = new Standbys({
    hosts,
    rooms,
    records,
    events,
    store,
    engine,
    addresses,
    owns,
    clock,
    newId,
    logger,
  });
  const migrator = new Migrator({
    hosts,
    farewell,
    rooms,
    records,
    giveAways,
    events,
    store,
    addresses,
    beforeMove: (room, toHostId) => standbys.beforeMove(room, toHostId),
    waysOf,
    assertWritable: () => store.assertWritable(),
    times: { ...DEFAULT_MIGRATION_TIMES, ...o.migration },
    clock,
    newId,
    logger,
  });
  const moveOrders = new MoveOrders(migrator, cluster, o.adminToken);

  const scheduler = new MoveScheduler({
    engine,
    hosts,
    rooms,
    decisions,
    events,
    move: (roomId, toHostId, reason) => migrator.move(roomId, toHostId, reason),
    owns,
    enabled: o.autoMove ?? true,
    clock,
    logger,
  });
  const loop = new PlacementLoop({
    engine,
    hosts,
    rooms,
    scheduler,
    decisions,
    events,
    owns,
    enabled: o.autoMove ?? true,
    clock,
  });
  new FleetFeed(events, engine, loop, scheduler, rooms, clock);
  const roomTalk = new RoomTalk({ events, engine, loop, rooms, clock, owns });
  const legs = new GatewayLegs({ engine, hosts, cluster, clock, enabled: o.emulated !== true });
  const brokerLinks = new BrokerLinks({
    adminToken: o.adminToken,
    onMeasured: (body) => probeIntake.reportedToBroker(body),
    onReport: (body) => playerReports.reportedToBroker(body),
    // Not passed on again: brokers may differ for a moment about who decides.
    onCarried: (players) => probeIntake.measuredByGateway(players.filter(({ roomId }) => owns(roomId))),
    onWays: (ways) => sessionWays.toldByBroker(ways),
    clock,
    logger,
  });
  const sessionWays: SessionWays = new SessionWays({ rooms, events, cluster, brokerLinks, clock });
  const probeIntake: ProbeIntake = new ProbeIntake({
    engine,
    loop,
    rooms,
    players,
    legs,
    events,
    cluster,
    brokerLinks,
    sessionWays,
    clock,
    newId,
  });
  const playerReports = new PlayerReports({ rooms, players, probeIntake, cluster, brokerLinks });
  const sessionReports = new SessionReports({ hosts, rooms, players, probeIntake, events, owns });

  const liveness = new HostLiveness({
    hosts,
    events,
    cluster,
    clock,
    logger,
    agentRestartMs: o.agentRestartMs ?? DEFAULT_AGENT_RESTART_MS,
    lostAfterMs,
    leaseMs,
    forgetAfterMs: o.forgetAfterMs ?? DEFAULT_FORGET_AFTER_MS,
  });
  const hostOrders = new HostOrders(hosts, events, cluster, clock);
  const reconciler = new RoomReconciler({
    hosts,
    rooms,
    records,
    rescues: failover,
    ended,
    openMoves,
    tracked,
    events,
    grants,
    remembered,
    owns,
    clock,
    logger,
    rejoinGraceMs: o.rejoinGraceMs ?? DEFAULT_REJOIN_GRACE_MS,
  });
  const answers = new HostAnswers({
    hosts,
    store,
    cluster,
    shared: o.shared,
    onRecord: (host, record) => reconciler.givenAway(host, record),
    onLeft: (host, roomId, epoch) => reconciler.leftBehind(host, roomId, epoch),
    clock,
    logger,
    leaseMs,
  });
  const router = new RoomEventRouter({
    hosts,
    rooms,
    reconciler,
    rescues: failover,
    tracked,
    store,
    events,
    owns,
    logger,
  });
  const takeover = new Takeover({
    hosts,
    rooms,
    records,
    reconciler,
    migrator,
    openMoves,
    loop,
    events,
    store,
    remembered,
    owns,
    clock,
    logger,
  });
  const seats = new SeatExpiry(clock, rooms);

  const metrics = new Metrics(events);
  metrics.watchStore(store);
  metrics.watch(hosts, rooms, loop);
  const emulated = o.emulated ?? false;
  const feed = new EventFeed({
    brokerId,
    emulated,
    events,
    hosts,
    rooms,
    views,
    migrator,
    tracked,
    cluster,
    clock,
    receipts: o.recentReceipts,
  });

  return {
    addresses,
    answers,
    brokerLinks,
    carrier,
    clock,
    cluster,
    decisions,
    emulated,
    ended,
    ends,
    engine,
    events,
    failover,
    feed,
    giveAways,
    hostOrders,
    hosts,
    leaseMs,
    farewell,
    legs,
    liveness,
    logger,
    loop,
    metrics,
    migrator,
    moveOrders,
    newId,
    orphanedCheckpoints,
    owns,
    playerReports,
    players,
    probeIntake,
    records,
    remembered,
    takeover,
    rooms,
    roomTalk,
    router,
    scheduler,
    seats,
    sessionReports,
    sessionWays,
    standbys,
    store,
    tracked,
    views,
  };
}
