/**
 * Players who go from one room to another together, through a portal or into a match: a new room is placed for those who
 * come, and everybody's seat there is taken before anybody leaves.
 */

/** Whoever travels: a client of the room. */
export interface Traveller {
  readonly sessionId: string;
}

/** Where to: a new room of that type, or one that is there. */
export type TravelTarget = string | { roomId: string };

/** Who goes, and with what. */
export interface TravelOptions {
  /** Who goes; everybody in the room if left out. The others stay. */
  clients?: Iterable<Traveller>;
  /** For `onCreate` of a new room, and for `onJoin` of each player. */
  options?: unknown;
}

/** What came of it. */
export interface Travelled {
  roomId: string;
  /** Players who have no seat there and stay: with the `code` and text of the reason, as `ROOM_FULL`. */
  refused: readonly { sessionId: string; code: string; message: string }[];
}

/** What a room host offers to a room, under {@link HOST_TRAVEL}. */
export interface HostTravel {
  travelTo(target: TravelTarget, options: TravelOptions): Promise<Travelled>;
}

/** Where a room finds how its host lets players travel. */
export const HOST_TRAVEL: unique symbol = Symbol.for("centroid.travel") as never;

/**
 * Takes players along to another room, on whichever host. A new one starts where it is best for those who come. Each of
 * them is sent its seat as a message of type `centroid:travel`: with `room.onTravel(next => ...)` the SDK joins before
 * it leaves; any other client does it by hand, with `client.consumeSeatReservation(seat)`. What `onAuth` said of a player
 * goes along as `client.auth`.
 *
 * `await travelTo(this, "dungeon", { clients: party, options: { level: 3 } })`
 *
 * @throws (rejects) with the `code` ROOM_TYPE_UNKNOWN, ROOM_NOT_FOUND, NO_HOST, or what the new room's `onCreate` threw;
 * then nobody has gone
 */
export function travelTo(
  room: object,
  target: TravelTarget,
  options: TravelOptions = {},
): Promise<Travelled> {
  const host = (room as { [HOST_TRAVEL]?: HostTravel })[HOST_TRAVEL];
  if (host === undefined) throw new Error("travelTo() needs a room that runs on a Centroid host");
  return host.travelTo(target, options);
}
