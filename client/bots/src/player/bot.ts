/** One player: follows its plan through the run, with a client of its own like any user of the SDK. */
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "@centroid/placement";
import { CentroidClient } from "@centroid/sdk";
import type { Uniform } from "../measure/random.js";
import type { Tally } from "../measure/tally.js";
import type { PlayerPlan } from "../scenarios/plan.js";
import type { EmulatedWorld } from "../world/world.js";
import { BEHAVIOURS, type PlayableRoom } from "./behaviours.js";
import type { JoinQueue } from "./join-queue.js";
import type { RoomGroup } from "./room-group.js";
import { BotSession } from "./session.js";
import { setSite } from "./travel.js";

export interface BotOptions {
  readonly plan: PlayerPlan;
  readonly group: RoomGroup;
  readonly joins: JoinQueue;
  readonly roomType: PlayableRoom;
  readonly brokerUrl: string;
  /** Without it players tell the broker where they are, but their round trips do not change. */
  readonly emulatorControlUrl: string | undefined;
  readonly inputsPerSecond: number;
  readonly seed: number;
  readonly startedAtMs: number;
  readonly world: EmulatedWorld;
  readonly tally: Tally;
}

/** A failed join is tried again after this, once or twice as people do. */
const RETRY_MS = 1_000;
const MAX_TRIES = 3;

export class Bot {
  readonly #options: BotOptions;
  readonly #random: Uniform;
  readonly #client: CentroidClient;

  constructor(options: BotOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed).next;
    const { plan, emulatorControlUrl, brokerUrl } = options;
    this.#client = new CentroidClient(brokerUrl, {
      playerId: plan.playerId,
      ...(emulatorControlUrl !== undefined && { network: plan.playerId }),
      location: this.#locationOf(plan.homeCityId),
    });
  }

  /** Plays until the plan is over or the signal aborts; then closes its books and leaves. */
  async run(signal: AbortSignal): Promise<void> {
    const { plan } = this.#options;
    try {
      await this.#travel(plan.homeCityId, signal);
      await Promise.all([this.#follow(signal), this.#visit(signal)]);
    } catch (cause) {
      if (!signal.aborted) this.#options.tally.error(cause);
    } finally {
      this.#client.dispose();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for (const { atMs, cityId } of this.#options.plan.legs) {
      if (!(await this.#until(atMs, signal))) return;
      // A failed journey is an error of the run, not the end of the player.
      await this.#travel(cityId, signal).catch((cause: unknown) => this.#options.tally.error(cause));
    }
  }

  async #visit(signal: AbortSignal): Promise<void> {
    for (const { fromMs, toMs } of this.#options.plan.visits) {
      if (!(await this.#until(fromMs, signal))) return;
      const session = await this.#join(toMs, signal);
      if (!session) continue;
      await Promise.race([this.#until(toMs, signal), session.ended]);
      await session.finish();
    }
  }

  /** @param untilMs a stay that is over before it began is left out */
  async #join(untilMs: number, signal: AbortSignal): Promise<BotSession | undefined> {
    const { group, joins, plan, roomType, inputsPerSecond, tally } = this.#options;
    for (let tries = 1; tries <= MAX_TRIES && !signal.aborted && this.#elapsedMs() < untilMs; tries++) {
      try {
        const joined = await joins.run(async (waitedMs) => {
          if (signal.aborted || this.#elapsedMs() >= untilMs) return undefined;
          const { room, joinMs } = await group.join(this.#client, { name: plan.playerId });
          tally.now.joinMs.push(waitedMs + joinMs);
          return room;
        });
        if (joined === undefined) return undefined;
        tally.now.joinsOk += 1;
        const random = this.#random;
        return new BotSession({
          room: joined,
          behaviour: BEHAVIOURS[roomType],
          tally,
          random,
          inputsPerSecond,
        });
      } catch (cause) {
        tally.now.joinsFailed += 1;
        tally.error(cause);
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  async #travel(cityId: string, signal: AbortSignal): Promise<void> {
    const { emulatorControlUrl, plan } = this.#options;
    if (emulatorControlUrl !== undefined) await setSite(emulatorControlUrl, plan.playerId, cityId, signal);
    this.#client.setLocation(this.#locationOf(cityId));
  }

  #locationOf(cityId: string): { latitude: number; longitude: number } {
    const city = this.#options.world.cities.find((c) => c.cityId === cityId);
    if (!city) throw new Error(`no city ${cityId} in the demo world`);
    return { latitude: city.latitude, longitude: city.longitude };
  }

  #elapsedMs(): number {
    return performance.now() - this.#options.startedAtMs;
  }

  /** Sleeps until a time of the run. @returns false if the signal aborted first */
  async #until(atMs: number, signal: AbortSignal): Promise<boolean> {
    const waitMs = atMs - this.#elapsedMs();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }
}
