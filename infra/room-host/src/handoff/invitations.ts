/**
 * The players of a room that moves: each is asked over with a ticket of its own, by the room's host to the player and to the
 * destination, and the room waits a moment for them to get there.
 */
import { randomBytes } from "node:crypto";
import type { Destination } from "@centroid/protocol";
import type { MovableClient } from "../colyseus/movable-client.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import { playerUrl } from "../sessions/player-url.js";
import type { DestinationLine } from "./destination-line.js";

/** How long the room waits for players to reach the destination before it moves without the slow ones. */
const CONNECT_TIMEOUT_MS = 1_500;

export interface InvitationsOptions {
  migrationId: string;
  room: MovableRoom;
  /** Epoch at the destination. */
  epoch: number;
  destination: Destination;
  line: DestinationLine;
  /** Players who are there already, where the room moves to its standby. */
  standby: ReadonlySet<string> | undefined;
  networkOf: (sessionId: string) => string | undefined;
  now: () => number;
}

export class Invitations {
  readonly #options: InvitationsOptions;
  readonly #tickets = new Map<string, string>();
  readonly #attached: Set<string>;
  /** Wakes whoever waits for players to arrive. */
  #changed: (() => void) | undefined;

  constructor(options: InvitationsOptions) {
    this.#options = options;
    this.#attached = new Set(options.standby);
  }

  /** Whoever joins the room from now on is invited. @returns ends that */
  watch(): () => void {
    const { room, line } = this.#options;
    const { events } = room.move;
    const onJoin = (client: MovableClient): void => this.#invite(client);
    const onLeave = (client: MovableClient): void => {
      this.#tickets.delete(client.sessionId);
      line.trySend({ type: "uninvite", sessionId: client.sessionId });
      this.lookAgain();
    };
    events.on("join", onJoin);
    events.on("leave", onLeave);
    return () => {
      events.off("join", onJoin);
      events.off("leave", onLeave);
    };
  }

  /** All who are in the room are invited. */
  inviteAll(): void {
    for (const client of movableClients(this.#options.room)) this.#invite(client);
  }

  /** The player's second connection is at the destination. */
  attached(sessionId: string): void {
    this.#attached.add(sessionId);
    this.lookAgain();
  }

  /** Whoever waits for players sees whether that is still worth it. */
  lookAgain(): void {
    this.#changed?.();
  }

  /** Where the player reaches the room at the destination. */
  urlOf({ sessionId }: MovableClient): string {
    const { destination, room, networkOf } = this.#options;
    const ticket = this.#tickets.get(sessionId) ?? "";
    return `${playerUrl(destination, room.roomId, sessionId, networkOf(sessionId))}&ticket=${ticket}`;
  }

  /** Resolves when all have arrived, or those who have not are not waited for. @throws CentroidError what broke the line */
  async arrived(): Promise<void> {
    const { room, line, now } = this.#options;
    const missing = (): boolean =>
      movableClients(room).some(
        ({ link, sessionId }) => link.centroid && link.connected && !this.#attached.has(sessionId),
      );
    const untilMs = now() + CONNECT_TIMEOUT_MS;
    while (missing() && now() < untilMs) {
      await this.#change(untilMs - now());
      line.check();
    }
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #invite(client: MovableClient): void {
    if (this.#tickets.has(client.sessionId)) return;
    const { migrationId, epoch, destination, line, standby } = this.#options;
    const ticket = randomBytes(16).toString("base64url");
    this.#tickets.set(client.sessionId, ticket);
    line.send({ type: "invite", invitations: [{ sessionId: client.sessionId, ticket }] });
    const { hostId, name, latitude, longitude } = destination;
    client.link.control({
      type: "moving",
      migrationId,
      epoch,
      url: this.urlOf(client),
      ticket,
      host: { hostId, name, latitude, longitude },
      ...(standby !== undefined && { promotes: true }),
    });
    client.link.retain();
  }
}
