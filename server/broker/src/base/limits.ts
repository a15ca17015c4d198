/** What one address, or one player, may ask of a broker. On unless it is told otherwise. */
import { CentroidError, type RateLimit } from "@centroid/protocol";

/** What is held without being used. */
export interface HeldLimits {
  /** Seats asked for and not yet taken. */
  untakenSeats: number;
  /** Rooms made in which nobody is yet. */
  emptyRooms: number;
}

/** What one address and one player may ask of a broker. */
export interface BrokerLimits {
  /** Requests of one address. */
  requests: RateLimit;
  perAddress: HeldLimits;
  perPlayer: HeldLimits;
}

/** Requests at once: so many seconds' worth. */
export const REQUEST_BURST_S = 10;
/** Hundreds of players behind one address, all of whom come at once and report every other second, stay below. */
export const DEFAULT_LIMITS: BrokerLimits = {
  requests: { perSecond: 100, burst: 100 * REQUEST_BURST_S },
  perAddress: { untakenSeats: 256, emptyRooms: 64 },
  perPlayer: { untakenSeats: 16, emptyRooms: 4 },
};

/** RATE_LIMITED, and when to ask again. */
export class LimitReached extends CentroidError {
  readonly retryAfterS: number;

  constructor(message: string, retryAfterS: number) {
    super("RATE_LIMITED", message);
    this.name = "LimitReached";
    this.retryAfterS = retryAfterS;
  }
}
