/** Makes sure that nobody runs a room any more, or is building it, before it is given to another host (FAIL-6). */
import { CentroidError } from "@centroid/protocol";
import type { Farewell } from "../hosts/farewell.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import { highestEpoch, type RoomEntry } from "../rooms/room-registry.js";
import type { Store } from "../store/store.js";

/** A host lets go of a room at once. */
const WITHDRAW_TIMEOUT_MS = 2_000;

export interface FormerOwnersOptions {
  hosts: HostRegistry;
  /** Knows which hosts may still run the rooms that they had. */
  farewell: Pick<Farewell, "mayRun">;
  store: Pick<Store, "nextEpoch">;
  /** True if a host that is not known here may run its rooms because another broker hears it. */
  mayRunByOthers: (hostId: string) => Promise<boolean>;
  /** True if nobody listens at a room host's address: its process has ended. */
  refuses: (address: string) => Promise<boolean>;
}

/**
 * Why a host does not run a room any more: it has said so, or it counts as lost. Of the latter other brokers are asked
 * once more when the next owner is on record.
 */
type Gone = "said" | "lost";

/** The rescue on whose behalf a host is asked. */
interface OnBehalf {
  /** False once the room is back or the rescue is over. */
  goesOn: () => boolean;
  /** A host is asked from here on: what it had is over. */
  commit: () => void;
}

export class FormerOwners {
  readonly #options: FormerOwnersOptions;

  constructor(options: FormerOwnersOptions) {
    this.#options = options;
  }

  /**
   * Has a host let go of the room.
   * @returns undefined if that is not sure yet: the host will say so, or count as lost
   */
  async letGo(
    room: RoomEntry,
    hostId: string | undefined,
    { goesOn, commit }: OnBehalf,
  ): Promise<Gone | undefined> {
    const { hosts, farewell, store, mayRunByOthers } = this.#options;
    if (hostId === undefined) return "said";
    if (farewell.mayRun(hostId)) return undefined;
    const host = hosts.get(hostId);
    if (host === undefined) return (await mayRunByOthers(hostId)) ? undefined : "lost";
    // Its lease is over, and when it comes back it hears first that the room is elsewhere.
    if (host.stage.state === "lost") return "lost";
    if (host.peer === undefined) return undefined;
    const { roomId } = room;
    // From the store: another broker may decide about the room next, and must not give the same one to an owner.
    const epoch = await store.nextEpoch(roomId, highestEpoch(room));
    if (!goesOn() || host.peer === undefined) return undefined;
    commit();
    room.fencedEpoch = Math.max(room.fencedEpoch, epoch);
    try {
      await host.peer.request({ method: "disposeRoom", roomId, epoch }, WITHDRAW_TIMEOUT_MS);
      return "said";
    } catch (cause) {
      // Any answer says that it has not got the room.
      return CentroidError.from(cause).code === "HOST_LOST" ? undefined : "said";
    }
  }

  /**
   * Has every host let go of the room that may run it, or may be building it.
   * @returns those that only count as lost; undefined if it is not sure of all yet
   */
  async allLetGo(room: RoomEntry, behalf: OnBehalf): Promise<readonly string[] | undefined> {
    const lost: string[] = [];
    // The one that was asked to build it first: once another was told that it is over, it would not be believed any more.
    for (const hostId of [room.asked?.hostId, room.stage.hostId]) {
      const gone = await this.letGo(room, hostId, behalf);
      if (gone === undefined) return undefined;
      if (gone === "lost" && hostId !== undefined) lost.push(hostId);
    }
    return lost;
  }

  /**
   * The feed of the standby has ended, but a network may have done that, and the room's host not know it yet: it has to
   * have ended, or to be as sure not to run the room as for any other restoration (STBY-3).
   * @returns as {@link allLetGo} does
   */
  async mayTakeOver(room: RoomEntry, behalf: OnBehalf): Promise<readonly string[] | undefined> {
    const { hosts, refuses } = this.#options;
    const { stage, asked } = room;
    const isAway = hosts.get(stage.hostId)?.peer === undefined && "at" in stage;
    // It may come back meanwhile.
    if (!isAway || !(await refuses(stage.at.address))) return this.allLetGo(room, behalf);
    if (asked === undefined) return [];
    const gone = await this.letGo(room, asked.hostId, behalf);
    return gone === undefined ? undefined : gone === "lost" ? [asked.hostId] : [];
  }
}
