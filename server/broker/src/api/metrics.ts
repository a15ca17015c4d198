/** Prometheus metrics of one broker, in a registry of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Emitter } from "../events/emitter.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { PlacementLoop } from "../placement/placement-loop.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { GuardedStore } from "../store/guarded-store.js";

/** From one patch interval's fraction to a visible stall, ms. */
const FREEZE_BUCKETS_MS = [1, 2, 5, 10, 15, 25, 50, 100, 250, 1000];
const MATCHMAKE_BUCKETS_S = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/**
 * How often the event loop's lag is sampled, which is part of each value. Every sample wakes the process, so nothing is
 * sampled before somebody has asked for metrics.
 */
const LAG_SAMPLED_MS = 50;
/** Who asks first waits until there is something to tell of the lag. */
const FIRST_SAMPLES = 3;

export class Metrics {
  readonly registry = new Registry();
  #processWatched: Promise<void> | undefined;
  readonly matchmake = new Counter({
    name: "centroid_matchmake_total",
    help: "Matchmaking requests by method and outcome",
    labelNames: ["method", "outcome"] as const,
    registers: [this.registry],
  });
  readonly matchmakeSeconds = new Histogram({
    name: "centroid_matchmake_seconds",
    help: "Time to answer a matchmaking request",
    labelNames: ["method"] as const,
    buckets: MATCHMAKE_BUCKETS_S,
    registers: [this.registry],
  });
  readonly probes = new Counter({
    name: "centroid_probe_reports_total",
    help: "Probe reports taken in or rejected",
    labelNames: ["outcome"] as const,
    registers: [this.registry],
  });
  readonly migrations = new Counter({
    name: "centroid_migrations_total",
    help: "Finished migrations by reason and outcome",
    labelNames: ["reason", "outcome"] as const,
    registers: [this.registry],
  });
  readonly freezeMs = new Histogram({
    name: "centroid_migration_freeze_beyond_tick_ms",
    help: "Median over clients of the silence that a migration added",
    buckets: FREEZE_BUCKETS_MS,
    registers: [this.registry],
  });
  readonly messagesLost = new Counter({
    name: "centroid_migration_messages_lost_total",
    help: "Messages that clients missed in migrations",
    registers: [this.registry],
  });
  readonly refusedClaims = new Counter({
    name: "centroid_room_claims_refused_total",
    help: "Rooms that hosts said they run and that no order on record gave them",
    registers: [this.registry],
  });
  readonly diverged = new Counter({
    name: "centroid_states_diverged_total",
    help: "Players' copies of a state that differed from their room's and were sent again",
    registers: [this.registry],
  });
  readonly leftBehind = new Counter({
    name: "centroid_room_left_behind_total",
    help: "What rooms had opened at hosts that they left: timers, which were stopped, and sockets and the like, still open",
    labelNames: ["what"] as const,
    registers: [this.registry],
  });
  readonly slowSubscribers = new Counter({
    name: "centroid_event_subscribers_dropped_total",
    help: "Subscribers of the event stream dropped because they were too slow",
    registers: [this.registry],
  });

  constructor(events: Emitter<MoveEvents & RoomEvents>) {
    events.on("room.diverged", () => this.diverged.inc());
    events.on("room.left-behind", ({ timers, open }) => {
      this.leftBehind.inc({ what: "timers" }, timers);
      this.leftBehind.inc({ what: "open" }, open);
    });
    events.on("room.claim-refused", () => this.refusedClaims.inc());
    events.on("move.finished", ({ receipt: { reason, outcome, messagesLost, freezeBeyondTickMs } }) => {
      this.migrations.inc({ reason, outcome });
      this.messagesLost.inc(messagesLost);
      if (freezeBeyondTickMs !== undefined) this.freezeMs.observe(freezeBeyondTickMs.p50);
    });
  }

  watchStore(store: Pick<GuardedStore, "trouble" | "faults">): void {
    const registers = [this.registry];
    new Gauge({
      name: "centroid_store_writable",
      help: "0 while moves and orders are refused because the store cannot be written",
      registers,
      collect() {
        this.set(store.trouble === undefined ? 1 : 0);
      },
    });
    new Gauge({
      name: "centroid_store_faults_total",
      help: "Writes to the store that failed since the broker started",
      registers,
      collect() {
        this.set(store.faults);
      },
    });
  }

  /** All of them as Prometheus reads them; from the first time on the broker's process is watched, too. */
  async read(): Promise<string> {
    this.#processWatched ??= this.#watchProcess();
    await this.#processWatched;
    return this.registry.metrics();
  }

  async #watchProcess(): Promise<void> {
    collectDefaultMetrics({
      register: this.registry,
      prefix: "centroid_broker_",
      eventLoopMonitoringPrecision: LAG_SAMPLED_MS,
    });
    await sleep(FIRST_SAMPLES * LAG_SAMPLED_MS);
  }

  /** Gauges read what they show when they are asked. */
  watch(
    hosts: HostRegistry,
    rooms: RoomRegistry,
    loop: Pick<PlacementLoop, "evaluations" | "pending">,
  ): void {
    const registers = [this.registry];
    new Gauge({
      name: "centroid_hosts",
      help: "Hosts by state",
      labelNames: ["state"] as const,
      registers,
      collect() {
        const count = { active: 0, draining: 0, lost: 0 };
        for (const { stage } of hosts.values()) count[stage.state]++;
        for (const [state, value] of Object.entries(count)) this.set({ state }, value);
      },
    });
    new Gauge({
      name: "centroid_rooms",
      help: "Rooms",
      registers,
      collect() {
        this.set(rooms.size);
      },
    });
    new Gauge({
      name: "centroid_players",
      help: "Connected players",
      registers,
      collect() {
        this.set(rooms.players);
      },
    });
    new Gauge({
      name: "centroid_placement_evaluations_total",
      help: "Evaluations of rooms since the broker started",
      registers,
      collect() {
        this.set(loop.evaluations);
      },
    });
    new Gauge({
      name: "centroid_placement_pending_rooms",
      help: "Rooms waiting for an evaluation",
      registers,
      collect() {
        this.set(loop.pending);
      },
    });
  }
}
