/**
 * By which gateway a session comes: how far each is, for the broker, which knows how far hosts are from gateways. It names
 * one by which the room's host is clearly nearer; twice in a row, and the session goes over.
 */
import type { GatewayReport } from "@centroid/protocol";
import type { Prober } from "./prober.js";
import type { Ways } from "./ways.js";

/** Only so many are compared. */
const MAX_COMPARED = 4;
/** In one round of so many, and in a session's first rounds: gateways begin to measure hosts when somebody comes. */
const COMPARE_EVERY = 3;
const FIRST_ROUNDS = 3;
const IN_A_ROW = 2;

/** What a report says of gateways. */
export interface GatewayFields {
  gatewayId?: string;
  gateways?: GatewayReport[];
}

export class GatewayChoice {
  readonly #ways: Ways;
  readonly #prober: Prober;
  /** Ids by origin, as far as they are known. */
  readonly #ids = new Map<string, string>();
  #rounds = 0;
  #better: string | undefined;
  #times = 0;

  constructor(ways: Ways, prober: Prober) {
    this.#ways = ways;
    this.#prober = prober;
  }

  /** The one that carries the session, as far as it has said who it is; none if nothing does. */
  get presentId(): string | undefined {
    const [present] = this.#ways.origins;
    return present === undefined ? undefined : this.#ids.get(present);
  }

  /** One was named once, and has to be named again. */
  get isPending(): boolean {
    return this.#better !== undefined;
  }

  /** Measures, if it is time to. */
  async measure(): Promise<GatewayFields> {
    const { origins } = this.#ways;
    const [present] = origins;
    if (present === undefined) return {};
    const gateways: GatewayReport[] = [];
    const round = this.#rounds++;
    if (round < FIRST_ROUNDS || round % COMPARE_EVERY === 0 || this.isPending) {
      for (const { origin, ...report } of await this.#prober.measureGateways(
        origins.slice(0, MAX_COMPARED),
      )) {
        this.#ids.set(origin, report.gatewayId);
        // Two names of one gateway are one way.
        if (!gateways.some(({ gatewayId }) => gatewayId === report.gatewayId)) gateways.push(report);
      }
    }
    const gatewayId = this.presentId;
    return { ...(gatewayId !== undefined && { gatewayId }), ...(gateways.length > 0 && { gateways }) };
  }

  /**
   * @param measured what the report said
   * @param better what the broker answered
   * @returns by which origin the session comes from now on, if that is another
   */
  answered(measured: GatewayFields, better: string | undefined): string | undefined {
    if (measured.gateways === undefined) return undefined;
    this.#times = better !== undefined && better === this.#better ? this.#times + 1 : 1;
    this.#better = better;
    if (better === undefined || this.#times < IN_A_ROW) return undefined;
    this.#better = undefined;
    const origin = this.#ways.origins.find((candidate) => this.#ids.get(candidate) === better);
    return origin !== undefined && this.#ways.choose(origin) ? origin : undefined;
  }
}
