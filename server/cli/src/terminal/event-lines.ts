/** The event stream as lines for a person: rooms placed, rooms moved, hosts that come and go. */
import type { BrokerEvent, Decision, Host, Receipt } from "@centroid/protocol";
import { color } from "./output.js";

/** Keeps what it needs to name things; one per stream. */
export class EventLines {
  readonly #hosts = new Map<string, Host>();
  /** Rooms that run somewhere already; one in the making may still end up on another host. */
  readonly #placed = new Set<string>();
  readonly #decisions = new Map<string, Decision>();
  /** The decision behind each running migration; later ones must not replace it. */
  readonly #causes = new Map<string, Decision | undefined>();

  /** Whether a line may come of such an event: of players never, of a room once. */
  wants(type: BrokerEvent["type"], roomId: string | undefined): boolean {
    if (type === "room") return roomId === undefined || !this.#placed.has(roomId);
    return type !== "player" && type !== "player-removed";
  }

  /** The line for this event, or undefined if a person need not read it. */
  line(event: BrokerEvent): string | undefined {
    switch (event.type) {
      case "snapshot":
        for (const host of event.hosts) this.#hosts.set(host.hostId, host);
        for (const { roomId, state } of event.rooms) if (state !== "creating") this.#placed.add(roomId);
        return undefined;
      case "host": {
        const { host } = event;
        const before = this.#hosts.get(host.hostId);
        this.#hosts.set(host.hostId, host);
        if (before?.state === host.state) return undefined;
        const news = before === undefined && host.state === "active" ? "up" : host.state;
        const paint = host.state === "active" ? color.cyan : color.yellow;
        return `${stamp(event.atMs)} ${paint("host  ")} ${host.name} is ${news}`;
      }
      case "host-removed":
        return `${stamp(event.atMs)} ${color.yellow("host  ")} ${this.#host(event.hostId).trimEnd()} is gone`;
      case "room": {
        const { roomId, hostId, state } = event.room;
        if (state === "creating" || this.#placed.has(roomId)) return undefined;
        this.#placed.add(roomId);
        return `${stamp(event.atMs)} ${color.green("placed")} ${label(roomId)} ${this.#host(hostId)}`;
      }
      case "room-removed":
        this.#placed.delete(event.roomId);
        return undefined;
      case "decision":
        this.#decisions.set(event.decision.roomId, event.decision);
        return undefined;
      case "receipt":
        return this.#receipt(event.receipt, event.atMs);
      case "migration": {
        const { migrationId, roomId } = event.migration;
        if (!this.#causes.has(migrationId)) this.#causes.set(migrationId, this.#decisions.get(roomId));
        return undefined;
      }
      case "player":
      case "player-removed":
        return undefined;
      default: {
        const never: never = event;
        return String(never);
      }
    }
  }

  #receipt(receipt: Receipt, atMs: number): string {
    const route = `${this.#host(receipt.fromHostId)} ${color.dim("→")} ${this.#host(receipt.toHostId)}`;
    if (receipt.outcome !== "completed") {
      // Its last player left: nobody is worse off.
      if (receipt.error?.code === "ROOM_NOT_FOUND")
        return color.dim(`${stamp(atMs)} ended  ${label(receipt.roomId)} ${route}  ${receipt.error.message}`);
      return `${stamp(atMs)} ${color.red("failed")} ${label(receipt.roomId)} ${route}  ${receipt.error?.message ?? receipt.outcome}`;
    }
    const freeze =
      receipt.freezeBeyondTickMs === undefined
        ? "nobody there to feel it"
        : `froze ${receipt.freezeBeyondTickMs.p99.toFixed(1)} ms`;
    const exact =
      receipt.messagesLost + receipt.messagesDuplicated === 0
        ? "nothing lost"
        : color.red(`${receipt.messagesLost} lost`);
    return `${stamp(atMs)} ${color.blue("moved ")} ${label(receipt.roomId)} ${route}  ${color.bold(freeze)}, ${exact}  ${color.dim(this.#why(receipt))}`;
  }

  #why({ migrationId, reason }: Receipt): string {
    const decision = this.#causes.get(migrationId);
    this.#causes.delete(migrationId);
    if (decision?.verdict !== "move") return reason;
    const from = decision.candidates.find(({ hostId }) => hostId === decision.fromHostId);
    const to = decision.candidates.find(({ hostId }) => hostId === decision.toHostId);
    if (from === undefined || to === undefined) return reason;
    return `${reason}: J ${from.scoreMs.toFixed(0)} → ${to.scoreMs.toFixed(0)} ms`;
  }

  #host(hostId: string): string {
    return (this.#hosts.get(hostId)?.name ?? hostId).padEnd(12);
  }
}

/** Whole, so that it can be pasted into other commands; ids of our making are this long. */
const ROOM_ID_CHARS = 12;
const label = (roomId: string): string => color.bold(roomId.padEnd(ROOM_ID_CHARS));

function stamp(atMs: number): string {
  return color.dim(new Date(atMs).toTimeString().slice(0, 8));
}
