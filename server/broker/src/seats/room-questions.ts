/** What rooms ask of the whole deployment through Colyseus: which rooms there are, a new one, a call, keys that they share. */
import type { RoomQuestion, RoomRow } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import { type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import { type RoomEntry, type RoomRegistry, seatsTaken } from "../rooms/room-registry.js";
import type { Store } from "../store/store.js";
import { askOwner } from "./ask-owner.js";
import type { RoomFactory } from "./room-factory.js";
import type { Travel } from "./travel.js";

export interface RoomQuestionsOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  factory: RoomFactory;
  /** Where players dial to get to a process at that address, as far as this broker can say. */
  dialled: (address: string) => string | undefined;
  travel: Travel;
  migrator: Migrator;
  clock: Clock;
  store: Pick<Store, "presence">;
}

export class RoomQuestions {
  readonly #options: RoomQuestionsOptions;

  constructor(options: RoomQuestionsOptions) {
    this.#options = options;
  }

  /**
   * @param hostId whose room asks
   * @throws CentroidError
   */
  async answer(question: RoomQuestion, hostId: string): Promise<unknown> {
    const { rooms, hosts, factory } = this.#options;
    switch (question.method) {
      case "rooms": {
        const { roomIds, name } = question;
        const asked =
          roomIds === undefined ? [...rooms.values()] : roomIds.flatMap((roomId) => rooms.get(roomId) ?? []);
        return asked.flatMap((room) => (name === undefined || room.name === name ? this.#row(room) : []));
      }
      case "createRoom":
        return this.#row(await factory.createEmpty(question.name, question.options))[0];
      case "callRoom": {
        const { roomId, member, args } = question;
        const { value } = await askOwner(this.#options, rooms.require(roomId), (hostId) =>
          peerOf(hosts.require(hostId)).request({
            method: "callRoom",
            roomId,
            member,
            ...(args !== undefined && { args }),
          }),
        );
        return value;
      }
      case "presence":
        return this.#options.store.presence(question.command, this.#options.clock.now());
      case "travel":
        return this.#options.travel.start(question, hostId);
      default: {
        const never: never = question;
        throw new TypeError(JSON.stringify(never));
      }
    }
  }

  /** Nothing of a room that nobody can reach yet, or any more. */
  #row(room: RoomEntry): RoomRow[] {
    const { roomId, name, stage, createdAtMs } = room;
    if (stage.state === "creating" || stage.state === "disposed") return [];
    const { locked, private: isPrivate = false, unlisted = false, maxPlayers, metadata } = room.listing;
    const publicAddress = this.#options.dialled(stage.at.address);
    return [
      {
        roomId,
        name,
        processId: stage.at.processId,
        ...(publicAddress !== undefined && { publicAddress }),
        clients: seatsTaken(room),
        locked,
        private: isPrivate,
        unlisted,
        createdAtMs,
        ...(maxPlayers !== undefined && { maxClients: maxPlayers }),
        ...(metadata !== undefined && { metadata }),
      },
    ];
  }
}
