/**
 * What a client knows of a server's types, as in Colyseus' own client: `new CentroidClient<typeof server>(url)` for
 * all of its rooms and routes, `client.joinOrCreate<DuelRoom>("duel")` for one room.
 */
import type { Room } from "@colyseus/sdk";
import type { CentroidRoom } from "./room.js";

/** The type of what Colyseus' `defineServer` returns: `typeof server`. */
export interface ServerTypes {
  "~rooms": object;
  "~routes": unknown;
}

/** A server whose rooms are named by strings and typed at each join. */
export interface UntypedServer {
  "~rooms": Record<never, never>;
  // biome-ignore lint/suspicious/noExplicitAny: Colyseus' own default for routes without a server type
  "~routes": any;
}

/** A room class of the server, or anything with its `state` and `onJoin`. */
export interface ServerRoomLike {
  state: unknown;
  onJoin?(...args: never[]): unknown;
}

/** Names of a server's rooms. */
export type RoomName<Server extends ServerTypes> = keyof Server["~rooms"] & string;
/** The class behind one of them. */
export type RoomOf<
  Server extends ServerTypes,
  Name extends RoomName<Server>,
> = Server["~rooms"][Name] extends {
  "~room": infer ServerRoom;
}
  ? ServerRoom
  : never;

type StateOf<ServerRoom> = Room<ServerRoom>["state"];
/** What a room's `onJoin` takes as options. */
export type OptionsOf<ServerRoom> = ServerRoom extends { onJoin?: infer OnJoin }
  ? NonNullable<OnJoin> extends (...args: infer Args) => unknown
    ? Args[1]
    : never
  : never;
/** A joined room of that class. */
export type Joined<ServerRoom> = CentroidRoom<StateOf<ServerRoom>, ServerRoom>;

/** Takes a call that names no room class to the next overload. */
export type IfNamed<ServerRoom, This> = [ServerRoom] extends [never] ? never : This;
