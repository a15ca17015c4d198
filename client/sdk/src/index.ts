/** Colyseus' client for rooms that move to stay in the middle of their players. */
export { CentroidError, type HostSummary, type Location } from "@centroid/protocol";
export { CentroidClient, type CentroidClientOptions } from "./client.js";
export { CentroidRoom, type MigrateEvent, type RoomStats } from "./room.js";
export type {
  IfNamed,
  Joined,
  OptionsOf,
  RoomName,
  RoomOf,
  ServerRoomLike,
  ServerTypes,
  UntypedServer,
} from "./typed-rooms.js";
