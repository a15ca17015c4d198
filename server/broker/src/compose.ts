/** Puts the parts of a broker together; nothing here listens or waits. */
import type { Decision, MoveRequest, Receipt } from "@centroid/protocol";
import { Views } from "./api/views.js";
import { systemClock } from "./base/clock.js";
import { randomIds } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import { type Cluster, type ClusterMessage, shardOf } from "./cluster/cluster.js";
import { onClusterMessage, type ProbesBody } from "./cluster/cluster-messages.js";
import { forwardMove } from "./cluster/forward.js";
import { type Change, EventHub } from "./events/event-hub.js";
import { Failover } from "./failover/failover.js";
import { FallbackWarmer } from "./failover/fallback-warmer.js";
import { Standbys } from "./failover/standbys.js";
import { directAddresses } from "./hosts/address-book.js";
import { HostDesk } from "./hosts/host-desk.js";
import { type HostEntry, HostRegistry, hostView } from "./hosts/host-registry.js";
import type { RoomGrants } from "./hosts/room-grants.js";
import { Metrics } from "./metrics.js";
import { Crashes } from "./moves/crashes.js";
import { Migrator } from "./moves/migrator.js";
import type { OpenMoves } from "./moves/open-moves.js";
import { DEFAULT_MIGRATION_TIMES } from "./moves/times.js";
import {
  type BrokerOptions,
  DEFAULT_AGENT_RESTART_MS,
  DEFAULT_FORGET_AFTER_MS,
  DEFAULT_LOST_AFTER_MS,
  DEFAULT_REDIAL_MS,
  DEFAULT_REJOIN_GRACE_MS,
} from "./options.js";
import { DecisionLog } from "./placement/decision-log.js";
import { PlacementEngine, type Recording } from "./placement/engine.js";
import { PlacementLoop } from "./placement/placement-loop.js";
import { PlayerRegistry } from "./probes/player-registry.js";
import { ProbeIntake } from "./probes/probe-intake.js";
import { type RoomEntry, RoomRegistry, type RoomSession } from "./rooms/room-registry.js";
import { SeatExpiry } from "./seats/seat-expiry.js";
import type { GuardedStore } from "./store/guarded-store.js";
import type { JournalEntry, RoomRecord } from "./store/store.js";

/** Receipts in a snapshot. */
const RECENT_RECEIPTS = 50;
/** A host whose load changed by so much may be worse or better for its rooms than it was. */
const NOTABLE_LOAD_CHANGE = 0.15;

export interface CoreOptions extends BrokerOptions {
  brokerId: string;
  logger: Logger;
  store: GuardedStore;
  remembered: Map<string, RoomRecord>;
  openMoves: OpenMoves;
  grants: RoomGrants;
  cluster: Cluster;
  adminToken: string;
  recentReceipts: Receipt[];
  /** Gets what the placement is fed with and what it decides. */
  record?: Recording["record"] | undefined;
}

export type Core = ReturnType<typeof assemble>;

export function assemble(o: CoreOptions) {
  const clock = o.clock ?? systemClock;
  const newId = o.newId ?? randomIds();
  const addresses = o.addressBook ?? directAddresses;
  const { store, logger, recentReceipts } = o;
  const metrics = new Metrics();
  const engine = new PlacementEngine(
    o.placement ?? {},
    newId,
    o.record && { record: o.record, now: () => clock.now() },
  );
  const decisions = new DecisionLog();
  const hosts = new HostRegistry();
  const players = new PlayerRegistry((playerId) => engine.removePlayer(playerId));
  const views = new Views(engine, players);
  const { cluster } = o;
  const owns = (roomId: string): boolean => cluster.owns(roomId);
  const probeIntake = new ProbeIntake(
    engine,
    players,
    clock,
    newId,
    ({ playerId, network, location }, probes) => {
      const body: ProbesBody = {
        playerId,
        probes: [...probes],
        ...(network !== undefined && { network }),
        ...(location !== undefined && { location }),
      };
      cluster.publish("probes", body);
    },
  );
  /** What this broker alone knows; all else every broker hears from the hosts. */
  const tell = (build: () => Change): void => {
    hub.emit(build);
    if (cluster.members().length > 1) cluster.publish("event", build());
  };

  const hub = new EventHub(clock, () => ({
    brokerId: o.brokerId,
    emulated: o.emulated ?? false,
    hosts: [...hosts.values()].map(hostView),
    rooms: [...rooms.values()].map((room) => views.room(room)),
    players: [...rooms.values()].flatMap((room) => views.players(room)),
    migrations: migrator.views(),
    receipts: [...recentReceipts],
  }));

  const onPlayer = (session: RoomSession): void => {
    const room = rooms.get(session.roomId);
    if (room === undefined || session.stage.state !== "connected") return;
    hub.emit(() => {
      const player = views.player(room, session);
      return player && { type: "player", player };
    });
  };
  const rooms: RoomRegistry = new RoomRegistry(hosts, {
    changed: (room) => hub.emit(() => ({ type: "room", room: views.room(room) })),
    removed: (room) => {
      engine.forgetRoom(room.roomId);
      decisions.forget(room.roomId);
      loop.forget(room.roomId);
      loop.consolidateSoon();
      standbys.forget(room.roomId);
      onGone(room.roomId);
      hub.emit(() => ({ type: "room-removed", roomId: room.roomId }));
    },
    joined: (room, session) => {
      if (session.playerId !== undefined && players.get(session.playerId) === undefined)
        engine.upsertPlayer(session.playerId, undefined);
      players.seated(session);
      loop.mark(room.roomId);
      onPlayer(session);
    },
    left: (room, session) => {
      players.unseated(session);
      loop.mark(room.roomId);
      const { playerId } = session;
      if (playerId !== undefined && session.stage.state === "connected")
        hub.emit(() => ({ type: "player-removed", playerId, roomId: room.roomId }));
    },
  });

  const onGone = (roomId: string): void => {
    // The broker that decides about a room keeps its record; the others may have lost sight of it only.
    if (!owns(roomId)) return;
    store.removeRoom(roomId).catch((cause: unknown) => logger.error({ roomId, cause }, "room not removed"));
  };
  const onOwner = async (room: RoomEntry): Promise<void> => {
    const { roomId, name, carrier, epoch, fencedEpoch, createdAtMs, stage, standby } = room;
    // The others hear of the room as well, but not of all that the one that decides has written down.
    if (!owns(roomId)) return;
    const { hostId } = stage;
    await store.putRoom({ roomId, name, carrier, epoch, fencedEpoch, createdAtMs, hostId, standby });
  };
  const fallbackWarmer = new FallbackWarmer({
    hosts,
    rooms,
    engine,
    clock,
    logger,
    carrier: o.carrier ?? "process",
  });
  const onDecision = (decision: Decision): void => {
    fallbackWarmer.prepare(decision);
    if (decision.verdict === "place" || decision.verdict === "no-host") decisions.add(decision);
    tell(() => ({ type: "decision", decision }));
  };
  const onReceipt = (receipt: Receipt, room: RoomEntry | undefined): void => {
    engine.migrated(receipt, clock.now());
    recentReceipts.push(receipt);
    if (recentReceipts.length > RECENT_RECEIPTS) recentReceipts.shift();
    metrics.migrations.inc({ reason: receipt.reason, outcome: receipt.outcome });
    metrics.messagesLost.inc(receipt.messagesLost);
    if (receipt.freezeBeyondTickMs !== undefined) metrics.freezeMs.observe(receipt.freezeBeyondTickMs.p50);
    if (room !== undefined) loop.mark(room.roomId);
    tell(() => ({ type: "receipt", receipt }));
  };

  const crashes = new Crashes();
  const failover = new Failover({
    hosts,
    rooms,
    store,
    engine,
    clock,
    newId,
    logger,
    onDecision,
    onNoSlot: (room) => loop.planFor(room.roomId),
    preferReady: (decision) => fallbackWarmer.preferReady(decision),
    owns,
    undecided: (roomId) => o.openMoves.undecided(roomId),
    crashes,
    onView: (migration) => tell(() => ({ type: "migration", migration })),
    onReceipt: (receipt, room) => {
      store.closeMigration(receipt).catch((cause: unknown) => logger.error({ cause }, "receipt not stored"));
      onReceipt(receipt, room);
    },
    onOwner,
  });
  const migrator = new Migrator({
    hosts,
    rooms,
    store,
    clock,
    newId,
    logger,
    addresses,
    times: { ...DEFAULT_MIGRATION_TIMES, ...o.migration },
    assertWritable: () => store.assertWritable(),
    onView: (migration) => tell(() => ({ type: "migration", migration })),
    onReceipt,
    onOwner,
    beforeMove: (room) => standbys.retire(room),
    onAway: (room, without) => failover.rescue(room, without),
  });
  const standbys: Standbys = new Standbys({
    hosts,
    rooms,
    engine,
    addresses,
    clock,
    newId,
    logger,
    owns,
    putCheckpoint: (checkpoint) => store.putCheckpoint(checkpoint),
    onOwner,
    onChanged: (room) => rooms.touched(room),
    rescue: (room) => failover.rescue(room, "wait"),
  });
  const loop: PlacementLoop = new PlacementLoop({
    engine,
    hosts,
    rooms,
    decisions,
    clock,
    logger,
    onDecision,
    move: (roomId, toHostId, reason) => migrator.move(roomId, toHostId, reason),
    owns,
    enabled: o.autoMove ?? true,
  });
  const seats = new SeatExpiry(clock, rooms);

  const emitHost = (host: HostEntry): void => hub.emit(() => ({ type: "host", host: hostView(host) }));
  const markHost = (host: HostEntry): void => {
    for (const roomId of host.roomIds) loop.mark(roomId);
  };
  const notedLoad = new Map<string, number>();
  const hostDesk = new HostDesk({
    hosts,
    rooms,
    migrator,
    failover,
    standbys,
    putCheckpoint: (checkpoint) => store.putCheckpoint(checkpoint),
    redialMs: o.redialMs ?? DEFAULT_REDIAL_MS,
    agentRestartMs: o.agentRestartMs ?? DEFAULT_AGENT_RESTART_MS,
    clock,
    logger,
    remembered: o.remembered,
    openMoves: o.openMoves,
    grants: o.grants,
    owns,
    onRefusedClaim: () => metrics.refusedClaims.inc(),
    rejoinGraceMs: o.rejoinGraceMs ?? DEFAULT_REJOIN_GRACE_MS,
    lostAfterMs: o.lostAfterMs ?? DEFAULT_LOST_AFTER_MS,
    forgetAfterMs: o.forgetAfterMs ?? DEFAULT_FORGET_AFTER_MS,
    onHost: (host) => {
      const isNew = !engine.hasHost(host.facts.hostId);
      engine.upsertHost(host);
      emitHost(host);
      markHost(host);
      if (isNew) loop.hostAdded();
      standbys.hostChanged(host);
    },
    onHostRemoved: (hostId) => {
      engine.removeHost(hostId);
      notedLoad.delete(hostId);
      hub.emit(() => ({ type: "host-removed", hostId }));
    },
    onSuspect: (host) => fallbackWarmer.suspect(host),
    ask: (hostId) => cluster.publish("host-asked", { hostId }),
    answer: (hostId) => cluster.publish("host-heard", { hostId }),
    onUsage: (host) => {
      emitHost(host);
      const { hostId } = host.facts;
      if (Math.abs((notedLoad.get(hostId) ?? 0) - host.load) < NOTABLE_LOAD_CHANGE) return;
      notedLoad.set(hostId, host.load);
      markHost(host);
    },
    onOwner,
    onGone,
  });
  const setHostState = (hostId: string, to: "drain" | "activate"): void => {
    const host = hosts.apply(hostId, { type: to });
    emitHost(host);
    markHost(host);
    standbys.hostChanged(host);
  };

  store.onRecovered(async () => {
    for (const room of [...rooms.values()]) if (room.stage.state !== "creating") await onOwner(room);
    for (const { roomId } of await store.rooms()) {
      if (owns(roomId) && rooms.get(roomId) === undefined && !o.remembered.has(roomId))
        await store.removeRoom(roomId);
    }
  });
  metrics.watchStore(store);
  metrics.watch(
    hosts,
    rooms,
    () => loop.evaluations,
    () => loop.pending,
  );
  const move = async (roomId: string, order: MoveRequest): Promise<Receipt> => {
    const owner = cluster.ownerOf(roomId);
    if (owns(roomId) || owner === undefined)
      return migrator.move(roomId, order.hostId, "operator", order.mechanism);
    return forwardMove(owner, o.adminToken, roomId, order);
  };
  /** Ends a move that an earlier broker left open: its hosts have spoken or were waited for. */
  const endOpenMove = (entry: JournalEntry): void => {
    const record = o.remembered.get(entry.roomId);
    // No host has reported it yet; while the move counts as open, this does not restore it.
    if (record !== undefined) hostDesk.notFound(record);
    o.openMoves.release(({ migrationId }) => migrationId === entry.migrationId);
    migrator.resume(entry).catch((cause: unknown) => {
      logger.error({ cause, migrationId: entry.migrationId }, "a move of before is still open");
    });
  };
  /** Open moves need not wait for hosts that have nothing to do with them. */
  const endAskableMoves = async (): Promise<void> => {
    const askable = o.openMoves.askable(hosts).filter(({ roomId }) => owns(roomId));
    if (askable.length === 0) return;
    const stillOpen = new Set((await store.openMigrations()).map(({ migrationId }) => migrationId));
    for (const entry of askable) if (stillOpen.has(entry.migrationId)) endOpenMove(entry);
    o.openMoves.release(({ migrationId }) =>
      askable.some((entry) => entry.migrationId === migrationId && !stillOpen.has(migrationId)),
    );
  };
  /** Rooms that this broker decides about from now on: whatever another left open is ended here. */
  const takeOver = async (shards: readonly number[]): Promise<void> => {
    const taken = new Set(shards);
    const records = new Map((await store.rooms()).map((record) => [record.roomId, record]));
    const open = (await store.openMigrations()).filter(({ roomId }) => taken.has(shardOf(roomId)));
    const undecided = new Set(open.map(({ roomId }) => roomId));
    o.openMoves.release(({ roomId }) => taken.has(shardOf(roomId)) && !undecided.has(roomId));
    for (const room of [...rooms.values()]) {
      if (!taken.has(shardOf(room.roomId))) continue;
      const record = records.get(room.roomId);
      if (record?.epoch === room.epoch) {
        room.standby = record.standby;
        room.fencedEpoch = Math.max(room.fencedEpoch, record.fencedEpoch);
      } else if (record === undefined || record.epoch < room.epoch)
        onOwner(room).catch((cause: unknown) => logger.error({ cause }, "room taken over is not stored"));
      loop.mark(room.roomId);
      if (room.stage.state === "restoring" && !undecided.has(room.roomId)) failover.rescue(room, "wait");
    }
    for (const entry of open) if (owns(entry.roomId)) endOpenMove(entry);
  };
  return {
    cluster,
    owns,
    move,
    takeOver,
    endAskableMoves,
    heed: (bulletin: ClusterMessage) =>
      onClusterMessage(bulletin, {
        players,
        probeIntake,
        loop,
        hub,
        clock,
        logger,
        setHostState,
        onHostAsked: (hostId) => hostDesk.asked(hostId),
        onHostHeard: (hostId) => hostDesk.heardElsewhere(hostId),
      }),
    clock,
    newId,
    addresses,
    store,
    logger,
    metrics,
    engine,
    decisions,
    hosts,
    rooms,
    players,
    views,
    probeIntake,
    hub,
    migrator,
    failover,
    crashes,
    standbys,
    loop,
    seats,
    hostDesk,
    onPlayer,
    onDecision,
    onOwner,
    onGone,
    setHostState: (hostId: string, to: "drain" | "activate"): void => {
      setHostState(hostId, to);
      cluster.publish("host-state", { hostId, to });
    },
  };
}
