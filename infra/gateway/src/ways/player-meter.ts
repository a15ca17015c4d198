/**
 * How far players are whose clients measure nothing, so that their rooms are placed for them too: their WebSockets answer
 * pings. A newcomer is asked a few times, later the pings do that show who is gone. What they answer is said in few words.
 */
import { type GatewayDirectory, MAX_MEASURED_PLAYERS, type MeasuredPlayer } from "@centroid/protocol";

/** How often a newcomer is asked at most. */
const MEASURE_MS = 10_000;
const NEWCOMER_PINGS = 3;
/** What comes in within this is said at once. */
const BATCH_MS = 1_000;

/** A session whose player can be asked. */
interface Measurable {
  measure(): void;
}

export interface PlayerMeterOptions {
  directory: Pick<GatewayDirectory, "measured">;
  measureMs?: number | undefined;
}

export class PlayerMeter implements Disposable {
  readonly #options: PlayerMeterOptions;
  /** Who is still asked here, and how often yet. */
  readonly #newcomers = new Map<Measurable, number>();
  readonly #rounds: NodeJS.Timeout;
  #measured: MeasuredPlayer[] = [];
  #batch: NodeJS.Timeout | undefined;

  constructor(options: PlayerMeterOptions) {
    this.#options = options;
    this.#rounds = setInterval(() => this.#round(), options.measureMs ?? MEASURE_MS);
    this.#rounds.unref();
  }

  joined(session: Measurable): void {
    this.#newcomers.set(session, NEWCOMER_PINGS);
  }

  left(session: Measurable): void {
    this.#newcomers.delete(session);
  }

  measured({ rttMs, ...session }: MeasuredPlayer): void {
    this.#measured.push({ ...session, rttMs: Math.round(rttMs * 1000) / 1000 });
    this.#batch ??= setTimeout(() => this.#say(), BATCH_MS).unref();
  }

  #round(): void {
    for (const [session, left] of this.#newcomers) {
      session.measure();
      if (left > 1) this.#newcomers.set(session, left - 1);
      else this.#newcomers.delete(session);
    }
  }

  #say(): void {
    this.#batch = undefined;
    const measured = this.#measured;
    this.#measured = [];
    for (let at = 0; at < measured.length; at += MAX_MEASURED_PLAYERS) {
      const players = measured.slice(at, at + MAX_MEASURED_PLAYERS);
      // Without a broker it is measured again.
      this.#options.directory.measured({ hosts: [], players }).catch(() => undefined);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#rounds);
    clearTimeout(this.#batch);
  }
}
