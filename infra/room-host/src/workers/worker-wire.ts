/** What a room host and one of its worker threads say to each other. Both are of one build, so nothing is parsed. */

export interface WorkRequest {
  id: number;
  input: unknown;
}

export type FromWorker =
  | { type: "ready" }
  /** The author's module does not load, or its `start` failed. */
  | { type: "broken"; message: string }
  | { type: "done"; id: number; output: unknown; cpuMs: number }
  | { type: "failed"; id: number; message: string; cpuMs: number };
