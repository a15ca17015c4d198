/** Where a sandbox, machine or container, has its program. */
export const SANDBOX_FILES = {
  program: "/app",
  rooms: "rooms.mjs",
  /** Below it, files of rooms' workers have the paths that they had where the sandbox was made. */
  workers: "workers",
} as const;
