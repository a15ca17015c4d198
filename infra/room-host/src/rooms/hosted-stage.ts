/**
 * Where a room stands on this host, and how that changes. Pure:
 *
 *   arriving --owned--> running <--stays-- leaving
 *                          |------leaves----->
 */
import { CentroidError } from "@centroid/protocol";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { HandoffDestination } from "../handoff/destination.js";
import type { HandoffSource } from "../handoff/source.js";

export type HostedStage =
  | {
      readonly name: "running";
      readonly room: MovableRoom;
      /** Admits players who were still on their way when the room arrived. */
      readonly arrivals: HandoffDestination | undefined;
    }
  | {
      readonly name: "leaving";
      readonly room: MovableRoom;
      readonly migrationId: string;
      readonly source: HandoffSource;
      /** Calls the move off. */
      readonly abort: AbortController;
    }
  | {
      readonly name: "arriving";
      readonly migrationId: string;
      readonly ticket: string;
      readonly destination: HandoffDestination;
    };

export type StageEvent =
  /** It is being moved to another host. */
  | { type: "leaves"; migrationId: string; source: HandoffSource; abort: AbortController }
  /** That move was called off. */
  | { type: "stays"; source: HandoffSource }
  /** It has arrived: this host owns it. */
  | { type: "owned"; room: MovableRoom }
  /** Whoever has not followed by now will not. */
  | { type: "arrivals-over"; destination: HandoffDestination };

/**
 * @returns the same stage for an event that is about an earlier one
 * @throws CentroidError ROOM_MOVING for a room that cannot leave now
 */
export function nextHostedStage(stage: HostedStage, event: StageEvent): HostedStage {
  switch (event.type) {
    case "leaves": {
      if (stage.name !== "running") throw new CentroidError("ROOM_MOVING", "the room is being moved already");
      const { migrationId, source, abort } = event;
      return { name: "leaving", room: stage.room, migrationId, source, abort };
    }
    case "stays":
      if (stage.name !== "leaving" || stage.source !== event.source) return stage;
      return { name: "running", room: stage.room, arrivals: undefined };
    case "owned":
      if (stage.name !== "arriving") return stage;
      return { name: "running", room: event.room, arrivals: stage.destination };
    case "arrivals-over":
      if (stage.name !== "running" || stage.arrivals !== event.destination) return stage;
      return { ...stage, arrivals: undefined };
    default: {
      const never: never = event;
      throw new CentroidError("INTERNAL", JSON.stringify(never));
    }
  }
}
