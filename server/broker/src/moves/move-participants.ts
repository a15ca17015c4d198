/** Talks to the two hosts of a move about who has the room. All of it may be repeated. */
import type { Logger } from "../base/logger.js";
import type { Farewell } from "../hosts/farewell.js";
import { type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { MoveOrder } from "./migration.js";
import { type OwnerResolution, resolveOwner, type SideStatus } from "./resolve-owner.js";

/** Status and abort are answered from memory. */
const STATUS_TIMEOUT_MS = 2_000;

export class MoveParticipants {
  readonly #hosts: HostRegistry;
  readonly #farewell: Pick<Farewell, "mayRun">;
  readonly #logger: Logger;

  constructor(hosts: HostRegistry, farewell: Pick<Farewell, "mayRun">, logger: Logger) {
    this.#hosts = hosts;
    this.#farewell = farewell;
    this.#logger = logger;
  }

  async ask(plan: MoveOrder): Promise<OwnerResolution> {
    const { fromHostId, toHostId } = plan;
    const [source, destination] = await Promise.all([
      this.status(fromHostId, plan),
      this.status(toHostId, plan),
    ]);
    return resolveOwner(source, destination);
  }

  async status(hostId: string, plan: MoveOrder): Promise<SideStatus> {
    const { migrationId, roomId } = plan;
    const host = this.#hosts.get(hostId);
    if (host === undefined) return this.#farewell.mayRun(hostId) ? "unreachable" : "gone";
    if (host.stage.state === "lost") return "lost";
    try {
      const { role } = await peerOf(host).request(
        { method: "migrationStatus", migrationId, roomId },
        STATUS_TIMEOUT_MS,
      );
      return role;
    } catch (cause) {
      this.#logger.debug({ hostId, roomId, cause }, "no answer about a move");
      return "unreachable";
    }
  }

  /** @returns false if the side could not be told, or has the room and keeps it; a destination that is forgotten has nothing */
  async abort(hostId: string, plan: MoveOrder): Promise<boolean> {
    const { migrationId, roomId, toHostId } = plan;
    if (hostId === toHostId && this.#hosts.get(hostId) === undefined) return !this.#farewell.mayRun(hostId);
    try {
      const host = this.#hosts.require(hostId);
      const { aborted } = await peerOf(host).request(
        { method: "abortMigration", migrationId, roomId },
        STATUS_TIMEOUT_MS,
      );
      // The source goes on a moment after it was told; a destination with nothing to abort may never have
      // had it, or may run it since a moment ago.
      if (hostId !== toHostId) return (await this.status(hostId, plan)) === "owner";
      return aborted || (await this.status(hostId, plan)) === "none";
    } catch {
      return false;
    }
  }

  /** The source may still hold the room without running it; a newer epoch makes it let go. */
  letGo(hostId: string, roomId: string, epoch: number): void {
    const peer = this.#hosts.get(hostId)?.peer;
    peer?.request({ method: "disposeRoom", roomId, epoch }).catch((cause: unknown) => {
      this.#logger.debug({ hostId, roomId, cause }, "the source had let go already");
    });
  }
}
