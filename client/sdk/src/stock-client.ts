/** Colyseus' client as it is used beneath ours: it makes our rooms, and is told where their sockets are dialled. */
import { CentroidError, MEASURE_FIRST_STATUS, seatReservationSchema, tryRead } from "@centroid/protocol";
import { Client, type ClientOptions, MatchMakeError } from "@colyseus/sdk";
import * as z from "zod/mini";
import type { CentroidRoom } from "./room.js";
import { wayBy } from "./way.js";

interface StockClientHooks {
  makeRoom: (name: string, schema: unknown, seat: SdkSeat) => CentroidRoom;
  /** A seat is there, and the connection to its room begins. */
  onSeat: (seat: SdkSeat) => void;
}

/** A broker's seat says whose it is; one that a room made does not. */
const seatSchema = z.extend(seatReservationSchema, {
  centroid: z.partial(seatReservationSchema.shape.centroid, { playerId: true, playerToken: true }),
});
export type SdkSeat = z.infer<typeof seatSchema>;

/** Colyseus' client with our room and our options; everything else is stock. */
export class StockClient extends Client {
  readonly #url: string;
  readonly #hooks: StockClientHooks;
  #reservation: SdkSeat | undefined;

  constructor(url: string, options: ClientOptions, hooks: StockClientHooks) {
    super(url, options);
    this.#url = url;
    this.#hooks = hooks;
  }

  override async consumeSeatReservation<T>(
    ...[response, schema]: Parameters<Client["consumeSeatReservation"]>
  ): Promise<never> {
    const parsed = tryRead(seatSchema, response);
    if (!parsed.success) {
      throw new CentroidError(
        "PROTOCOL_VERSION",
        `this is not a Centroid broker: ${z.prettifyError(parsed.error)}`,
      );
    }
    this.#reservation = parsed.data;
    this.#hooks.onSeat(parsed.data);
    // Without an address Colyseus dials where it asked for the seat, and whatever name that has carries sockets too.
    const { publicAddress: _, ...here } = response;
    const direct = wayBy(this.#url, parsed.data.centroid.way) === "direct";
    return (await super.consumeSeatReservation<T>(direct ? response : here, schema as never)) as never;
  }

  protected override createRoom(name: string, schema?: unknown): never {
    const reservation = this.#reservation;
    if (reservation === undefined) throw new CentroidError("INTERNAL", "room without seat reservation");
    return this.#hooks.makeRoom(name, schema, reservation) as never;
  }
}

/** The broker cannot tell which of several rooms is near. */
export const mustMeasure = (cause: unknown): boolean =>
  cause instanceof MatchMakeError && cause.code === MEASURE_FIRST_STATUS;

/** Colyseus' client wraps a request that got no answer in an error without a code. */
export function unreached(cause: unknown): boolean {
  return cause instanceof MatchMakeError && cause.code === undefined;
}
