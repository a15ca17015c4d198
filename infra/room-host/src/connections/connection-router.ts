/** Every new connection of a room host: players who come, follow or return, gateways that carry them, other hosts' transfers. */
import {
  CLOSE_REFUSED,
  CLOSE_ROOM_MOVED,
  COMPARE_QUERY,
  CONTROL_QUERY,
  HAD_QUERY,
  MEASURE_QUERY,
  PROMOTE_QUERY,
  RECEIVED_QUERY,
  RESTORE_QUERY,
  type SessionProgress,
} from "@centroid/protocol";
import { CloseCode, connectClientToRoom, type Room } from "@colyseus/core";
import { MovableClient } from "../colyseus/movable-client.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import type { Returning } from "../handoff/arriving-players.js";
import type { Hosted } from "../rooms/hosted.js";
import type { HostedRooms } from "../rooms/hosted-rooms.js";
import type { StandbyManager } from "../rooms/standby-manager.js";
import { LimitedSocket, type PlayerLimits } from "../sessions/player-limits.js";
import { SessionLink } from "../sessions/session-link.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import type { PlayerConnection } from "./transport.js";

export class ConnectionRouter {
  readonly #rooms: HostedRooms;
  readonly #standbys: StandbyManager;
  readonly #limits: PlayerLimits;
  readonly #onTrunk: (socket: ServerSocket) => void;

  /** @param onTrunk given the connections of gateways */
  constructor(
    rooms: HostedRooms,
    standbys: StandbyManager,
    limits: PlayerLimits,
    onTrunk: (socket: ServerSocket) => void,
  ) {
    this.#rooms = rooms;
    this.#standbys = standbys;
    this.#limits = limits;
    this.#onTrunk = onTrunk;
  }

  accept(connection: PlayerConnection): void {
    const [, first, second = ""] = connection.path.split("/");
    const { socket, query } = connection;
    switch (first) {
      case "handoff":
        this.#acceptTransfer(socket, second, query.get("ticket"));
        return;
      case "standby":
        if (!this.#standbys.acceptFeed(second, socket, query.get("ticket")))
          socket.close(CLOSE_REFUSED, "no such standby");
        return;
      case "trunk":
        this.#onTrunk(socket);
        return;
      default:
        this.#acceptPlayer(connection, second);
    }
  }

  #acceptTransfer(socket: ServerSocket, migrationId: string, ticket: string | null): void {
    for (const { stage } of this.#rooms.values()) {
      if (stage.name !== "arriving" || stage.migrationId !== migrationId) continue;
      if (ticket !== stage.ticket) break;
      stage.destination.acceptSource(socket);
      return;
    }
    socket.close(CLOSE_REFUSED, "no such migration");
  }

  #acceptPlayer(connection: PlayerConnection, roomId: string): void {
    const { socket, query } = connection;
    const sessionId = query.get("sessionId");
    if (sessionId === null) {
      socket.close(CLOSE_REFUSED, "no sessionId");
      return;
    }
    const hosted = this.#rooms.get(roomId);
    const ticket = query.get("ticket");
    const returning = query.get(RESTORE_QUERY);
    if (hosted === undefined) this.#atStandby(connection, roomId, sessionId, returning);
    else if (ticket !== null) this.#follow(connection, hosted, sessionId, ticket);
    else if (returning !== null)
      this.#return(connection, hosted, {
        sessionId,
        token: returning,
        received: countIn(query),
        had: hadIn(query),
      });
    else if (hosted.stage.name === "arriving" || !isOpen(hosted))
      socket.close(CLOSE_ROOM_MOVED, "room is being moved");
    else void this.#join(connection, roomId, hosted, hosted.stage.room, sessionId);
  }

  /** A session that goes on here: its first frames are owed to it and do not count. */
  #resuming({ socket, query }: PlayerConnection): ServerSocket {
    return new LimitedSocket(socket, this.#limits, { resends: true, measures: query.has(MEASURE_QUERY) });
  }

  #atStandby(
    connection: PlayerConnection,
    roomId: string,
    sessionId: string,
    returning: string | null,
  ): void {
    const taken =
      returning !== null &&
      this.#standbys.acceptPlayer(roomId, () => this.#resuming(connection), {
        sessionId,
        token: returning,
        promotable: connection.query.has(PROMOTE_QUERY),
      });
    if (!taken) connection.socket.close(CLOSE_ROOM_MOVED, "room is not here");
  }

  #follow(connection: PlayerConnection, { stage }: Hosted, sessionId: string, ticket: string): void {
    const destination =
      stage.name === "arriving" ? stage.destination : stage.name === "running" ? stage.arrivals : undefined;
    if (destination?.acceptPlayer(this.#resuming(connection), sessionId, ticket) !== true)
      connection.socket.close(CLOSE_ROOM_MOVED, "ticket is not valid here");
  }

  #return(connection: PlayerConnection, hosted: Hosted, who: Returning): void {
    const { stage, awaited } = hosted;
    const { sessionId, token, had } = who;
    if (stage.name === "running") {
      const resuming = this.#resuming(connection);
      if (awaited?.accept(resuming, sessionId, token, had) === true) return;
      if (goesOn(resuming, hosted, stage.room, who)) return;
      if (stage.arrivals?.acceptReturn(resuming, who) === true) return;
    }
    // A room on its way is asked for again; one that runs and does not wait for this session never will.
    const code = stage.name === "running" ? CLOSE_REFUSED : CLOSE_ROOM_MOVED;
    connection.socket.close(code, "there is nothing to come back to");
  }

  async #join(
    { socket, query, context }: PlayerConnection,
    roomId: string,
    hosted: Hosted,
    room: MovableRoom,
    sessionId: string,
  ): Promise<void> {
    const reconnectionToken = query.get("reconnectionToken");
    const centroid = query.has(CONTROL_QUERY);
    const compares = centroid && query.has(COMPARE_QUERY);
    const skipHandshake = query.has("skipHandshake");
    // Who comes back begins with what it could not send meanwhile.
    const returns = reconnectionToken !== null && room.hasReservedSeat(sessionId, reconnectionToken);
    const accepted = new LimitedSocket(socket, this.#limits, {
      resends: returns,
      measures: query.has(MEASURE_QUERY),
    });
    if (reconnectionToken !== null && hosted.awaited?.sessionOf(reconnectionToken) === sessionId) {
      const how = { sessionId, reconnectionToken, centroid, compares, skipHandshake };
      // A room that is being copied is asked for again in a moment.
      const back = hosted.stage.name === "running" ? hosted.awaited.rejoin(accepted, how) : undefined;
      if (back === undefined) socket.close(CLOSE_ROOM_MOVED, "room is being moved");
      else this.#rooms.listen(roomId, hosted, back);
      return;
    }
    const link = new SessionLink(centroid);
    link.compares = compares;
    const client = new MovableClient(sessionId, link);
    const before = returns && centroid ? room.move.activity.awayClient(sessionId)?.link : undefined;
    link.attach(accepted, before && { type: "returned", received: before.received });
    this.#rooms.listen(roomId, hosted, client);
    try {
      await connectClientToRoom(room as Room, client.asClient(), context, {
        ...(reconnectionToken !== null && { reconnectionToken }),
        skipHandshake,
      });
      // So that it knows at once where to say what it measures.
      link.alive();
    } catch (cause) {
      const { code, message } = cause as { code?: number; message: string };
      client.error(code ?? CloseCode.WITH_ERROR, message);
      link.close(reconnectionToken === null ? CloseCode.WITH_ERROR : CloseCode.FAILED_TO_RECONNECT, "");
    }
  }
}

/** The room is here and knows of no break yet: the gateway that carried the session is lost. */
function goesOn(
  socket: ServerSocket,
  { epoch }: Hosted,
  room: MovableRoom,
  { sessionId, token, received }: Returning,
): boolean {
  const client = movableClients(room).find((one) => one.sessionId === sessionId);
  if (received === undefined || client?.reconnectionToken !== token) return false;
  return client.link.goOn(socket, received, { epoch, patchRateMs: room.patchRate ?? 0 });
}

function countIn(query: URLSearchParams): number | undefined {
  const count = query.get(RECEIVED_QUERY);
  return count !== null && /^\d{1,15}$/.test(count) ? Number(count) : undefined;
}

function hadIn(query: URLSearchParams): SessionProgress | undefined {
  const [, epoch, received] = /^(\d{1,15})\.(\d{1,15})$/.exec(query.get(HAD_QUERY) ?? "") ?? [];
  return epoch === undefined ? undefined : { epoch: Number(epoch), received: Number(received) };
}

/** A room that is only being copied still takes players. */
function isOpen({ stage }: Hosted): boolean {
  return stage.name === "running" || (stage.name === "leaving" && stage.source.state === "copying");
}
