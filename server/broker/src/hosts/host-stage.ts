/**
 * The life of an edge host.
 *
 *   active <-> draining        active | draining -> lost -> active | draining (it came back)
 *
 * `lost` remembers whether the host was draining, so that it does not take rooms when it comes back.
 */
import { CentroidError } from "@centroid/protocol";

export type HostStage =
  | { state: "active" }
  | { state: "draining" }
  | { state: "lost"; sinceMs: number; before: "active" | "draining" };

export type HostTransition =
  | { type: "drain" }
  | { type: "activate" }
  | { type: "missed-heartbeats"; atMs: number }
  | { type: "hello" };

/** @throws CentroidError HOST_LOST when an operator changes a host that is away */
export function nextHostStage(stage: HostStage, event: HostTransition): HostStage {
  switch (event.type) {
    case "drain":
    case "activate":
      if (stage.state === "lost")
        throw new CentroidError(
          "HOST_LOST",
          `cannot ${event.type} a host whose agent is not connected; start the agent first`,
        );
      return { state: event.type === "drain" ? "draining" : "active" };
    case "missed-heartbeats":
      return stage.state === "lost" ? stage : { state: "lost", sinceMs: event.atMs, before: stage.state };
    case "hello":
      return stage.state === "lost" ? { state: stage.before } : stage;
    default: {
      const never: never = event;
      throw new CentroidError("INTERNAL", `unknown host transition ${JSON.stringify(never)}`);
    }
  }
}
