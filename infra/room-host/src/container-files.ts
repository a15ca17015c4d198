/** What a container and its agent share: one folder, and what is in it. */
export const CONTAINER_FILES = {
  /** As the container sees it. */
  folder: "/run/centroid",
  config: "config.json",
  control: "control.sock",
  /** There while no agent is connected: nothing of the host's is open in the container. */
  alone: "alone",
  /** The room host's port, once it can be reached. */
  ready: "ready",
  /** Why it cannot start. */
  failed: "failed",
  /** What it was doing when it ended or hung. */
  lastWords: "last-words",
} as const;
