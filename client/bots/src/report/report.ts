/** What a run of bots comes to. */
import { Distribution } from "../measure/quantile.js";
import type { TallyData } from "../measure/tally.js";
import type { ScenarioName } from "../scenarios/scenarios.js";

/** One second of the run. */
export interface BotSecond {
  readonly atMs: number;
  readonly playing: number;
  readonly rttP50Ms: number | undefined;
  readonly rttP95Ms: number | undefined;
  readonly migrations: number;
  readonly freezeMaxMs: number | undefined;
}

export interface BotReport {
  readonly scenario: ScenarioName;
  readonly roomType: string;
  readonly players: number;
  readonly rooms: number;
  readonly durationMs: number;
  readonly seed: number;
  /** True if the distances were those of the demo world, put on the wire by the distance emulator. */
  readonly emulated: boolean;
  readonly joins: { ok: number; failed: number; p50Ms: number | undefined; p99Ms: number | undefined };
  /** By the application's own echo through the room, so with the room's work in it. */
  readonly rtt: { samples: number; p50Ms: number | undefined; p95Ms: number | undefined };
  readonly migrations: number;
  /** Silence of the state around a move beyond one update interval, by player. */
  readonly freeze: Quantiles;
  /** The whole silence. */
  readonly silence: Quantiles;
  readonly messages: {
    sent: number;
    received: number;
    lost: number;
    duplicated: number;
    reordered: number;
    /** Stays whose messages arrived complete by number but not as sent. */
    corrupted: number;
    /** State updates received. */
    updates: number;
  };
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: readonly BotSecond[];
}

interface Quantiles {
  readonly samples: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly maxMs: number | undefined;
}

/** How the run stands; told about once a second. */
export interface BotProgress extends Omit<BotReport, "seconds"> {
  readonly elapsedMs: number;
  readonly playing: number;
}

type Settings = Pick<
  BotReport,
  "scenario" | "roomType" | "players" | "rooms" | "durationMs" | "seed" | "emulated"
>;

const SUMS = ["sent", "received", "lost", "duplicated", "reordered", "corrupted", "updates"] as const;

/** Adds up what the workers tell. */
export class ReportBuilder {
  readonly #settings: Settings;
  readonly #joins = { ok: 0, failed: 0, ms: new Distribution() };
  readonly #rtt = new Distribution();
  readonly #freeze = new Distribution();
  readonly #silence = new Distribution();
  readonly #migrations = new Set<string>();
  readonly #messages = Object.fromEntries(SUMS.map((key) => [key, 0])) as BotReport["messages"];
  readonly #errors: Record<string, number> = {};
  readonly #playing = new Map<number, number>();
  readonly #seconds: BotSecond[] = [];
  #second = new Second();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  add(worker: number, tally: TallyData): void {
    this.#playing.set(worker, tally.playing);
    this.#joins.ok += tally.joinsOk;
    this.#joins.failed += tally.joinsFailed;
    for (const ms of tally.joinMs) this.#joins.ms.add(ms);
    for (const ms of tally.rttMs) {
      this.#rtt.add(ms);
      this.#second.rtt.add(ms);
    }
    for (const ms of tally.silenceMs) this.#silence.add(ms);
    for (const ms of tally.freezeMs) {
      this.#freeze.add(ms);
      this.#second.freeze.add(ms);
    }
    for (const id of tally.migrationIds) {
      if (this.#migrations.has(id)) continue;
      this.#migrations.add(id);
      this.#second.migrations += 1;
    }
    for (const key of SUMS) this.#messages[key] += tally[key];
    for (const [code, count] of Object.entries(tally.errors)) {
      this.#errors[code] = (this.#errors[code] ?? 0) + count;
    }
  }

  /** Closes a second of the run and says how things stand. */
  tick(elapsedMs: number): BotProgress {
    const { rtt, freeze, migrations } = this.#second;
    this.#second = new Second();
    const playing = [...this.#playing.values()].reduce((sum, n) => sum + n, 0);
    this.#seconds.push({
      atMs: elapsedMs,
      playing,
      rttP50Ms: rtt.quantile(0.5),
      rttP95Ms: rtt.quantile(0.95),
      migrations,
      freezeMaxMs: freeze.count > 0 ? freeze.max : undefined,
    });
    const { seconds: _, ...report } = this.report();
    return { ...report, elapsedMs, playing };
  }

  report(): BotReport {
    return {
      ...this.#settings,
      joins: {
        ok: this.#joins.ok,
        failed: this.#joins.failed,
        p50Ms: this.#joins.ms.quantile(0.5),
        p99Ms: this.#joins.ms.quantile(0.99),
      },
      rtt: { samples: this.#rtt.count, p50Ms: this.#rtt.quantile(0.5), p95Ms: this.#rtt.quantile(0.95) },
      migrations: this.#migrations.size,
      freeze: quantiles(this.#freeze),
      silence: quantiles(this.#silence),
      messages: { ...this.#messages },
      errors: { ...this.#errors },
      seconds: [...this.#seconds],
    };
  }
}

class Second {
  readonly rtt = new Distribution();
  readonly freeze = new Distribution();
  migrations = 0;
}

function quantiles(distribution: Distribution): Quantiles {
  return {
    samples: distribution.count,
    p50Ms: distribution.quantile(0.5),
    p99Ms: distribution.quantile(0.99),
    maxMs: distribution.count > 0 ? distribution.max : undefined,
  };
}
