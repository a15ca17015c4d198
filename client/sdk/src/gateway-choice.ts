/**
 * By which gateway a session comes: how far each is, for the broker, which knows how far hosts are from gateways. It names
 * one by which the room's host is clearly nearer; twice in a row, and the session goes over. A host that is reached without
 * any, and no later, needs none.
 */
import type { Beacon, GatewayReport, ProbeReport, Way } from "@centroid/protocol";
import type { Prober } from "./prober.js";
import type { Ways } from "./ways.js";

/** Only so many are compared. */
const MAX_COMPARED = 4;
/** In one round of so many, and in a session's first rounds: gateways begin to measure hosts when somebody comes. */
const COMPARE_EVERY = 3;
const FIRST_ROUNDS = 3;
const IN_A_ROW = 2;

/** What was measured of ways in one round. */
export interface MeasuredWays {
  /** For the broker. */
  said: { way?: Way; gatewayId?: string; gateways?: GatewayReport[] };
  /** To the room's host without a gateway. */
  direct?: ProbeReport;
}

export interface GatewayChoiceOptions {
  ways: Ways;
  prober: Prober;
  /** Hosts may be reached without a gateway. */
  direct: boolean;
}

export class GatewayChoice {
  readonly #options: GatewayChoiceOptions;
  /** Ids by origin, as far as they are known. */
  readonly #ids = new Map<string, string>();
  #rounds = 0;
  /** A gateway's id, and how often it was named in a row. */
  #better: string | undefined;
  #times = 0;
  /** The room's host at its own address, as the broker says, and how often that was no farther. */
  #direct: Beacon | undefined;
  #directTimes = 0;

  constructor(options: GatewayChoiceOptions) {
    this.#options = options;
  }

  /** The one that carries the session, as far as it has said who it is; none if nothing does. */
  presentId(hostId: string): string | undefined {
    const [present] = this.#options.ways.origins(hostId);
    return present === undefined ? undefined : this.#ids.get(present);
  }

  /** Another way seemed better once, and has to a second time. */
  get isPending(): boolean {
    return this.#better !== undefined || this.#directTimes > 0;
  }

  /** That host, if the session goes there without a gateway. */
  directBeacon(hostId: string): Beacon | undefined {
    return this.#options.ways.isDirect(hostId) && this.#direct?.hostId === hostId ? this.#direct : undefined;
  }

  /** Measures, if it is time to. @param hostId of the room's host */
  async measure(hostId: string): Promise<MeasuredWays> {
    const { ways, prober } = this.#options;
    if (ways.isDirect(hostId)) return { said: { way: "direct" } };
    const origins = ways.origins(hostId);
    if (origins.length === 0) return { said: {} };
    const round = this.#rounds++;
    const isTime = round < FIRST_ROUNDS || round % COMPARE_EVERY === 0 || this.isPending;
    const near = this.#direct?.hostId === hostId ? [this.#direct] : [];
    const [measured, [direct]] = isTime
      ? await Promise.all([prober.measureGateways(origins.slice(0, MAX_COMPARED)), prober.measure(near)])
      : [[], []];
    const gateways: GatewayReport[] = [];
    for (const { origin, ...report } of measured) {
      this.#ids.set(origin, report.gatewayId);
      // Two names of one gateway are one way.
      if (!gateways.some(({ gatewayId }) => gatewayId === report.gatewayId)) gateways.push(report);
    }
    const gatewayId = this.presentId(hostId);
    return {
      said: { ...(gatewayId !== undefined && { gatewayId }), ...(gateways.length > 0 && { gateways }) },
      ...(direct !== undefined && { direct }),
    };
  }

  /**
   * @param beacon of the room's host, if it may be reached without a gateway
   * @param own the same host by the gateway, measured at the same time
   * @returns true if the session goes there from now on
   */
  offered(
    hostId: string,
    beacon: Beacon | undefined,
    { said, direct }: MeasuredWays,
    own: ProbeReport | undefined,
  ): boolean {
    if (said.gateways === undefined) return false;
    this.#direct = this.#options.direct ? beacon : undefined;
    const directMs = medianOf(direct?.rttsMs ?? []);
    const isNoFarther = Number.isFinite(directMs) && directMs <= medianOf(own?.rttsMs ?? []);
    this.#directTimes = this.#direct !== undefined && isNoFarther ? this.#directTimes + 1 : 0;
    if (this.#directTimes < IN_A_ROW) return false;
    this.#directTimes = 0;
    return this.#options.ways.chooseDirect(hostId);
  }

  /**
   * @param measured what the report said
   * @param better what the broker answered
   * @returns by which origin the session comes from now on, if that is another
   */
  answered(hostId: string, { said }: MeasuredWays, better: string | undefined): string | undefined {
    if (said.gateways === undefined) return undefined;
    this.#times = better !== undefined && better === this.#better ? this.#times + 1 : 1;
    this.#better = better;
    if (better === undefined || this.#times < IN_A_ROW) return undefined;
    this.#better = undefined;
    const { ways } = this.#options;
    const origin = ways.origins(hostId).find((candidate) => this.#ids.get(candidate) === better);
    return origin !== undefined && ways.choose(origin) ? origin : undefined;
  }
}

/** Of nothing it is endless. */
const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
