/** Job statistics (virDomainGetJobStats) with units in the names. */
import type { NativeParams } from "./binding.js";

const jobTypes = ["none", "bounded", "unbounded", "completed", "failed", "cancelled"] as const;
export type JobType = (typeof jobTypes)[number];

/** virDomainJobOperation. */
const jobOperations = [
  "unknown",
  "start",
  "save",
  "restore",
  "migration-in",
  "migration-out",
  "snapshot",
  "snapshot-revert",
  "dump",
  "backup",
  "snapshot-delete",
] as const;
type JobOperation = (typeof jobOperations)[number];

/** A field is absent when the hypervisor does not report it (yet). */
export interface JobStats {
  readonly type: JobType;
  readonly operation?: JobOperation;
  readonly elapsedMs?: number;
  readonly setupMs?: number;
  /** QEMU's own figure: time the CPUs were stopped on the source. Wrong for post-copy. */
  readonly downtimeMs?: number;
  readonly dataTotalBytes?: number;
  readonly dataProcessedBytes?: number;
  readonly dataRemainingBytes?: number;
  readonly memoryTotalBytes?: number;
  readonly memoryProcessedBytes?: number;
  readonly memoryRemainingBytes?: number;
  readonly memoryBytesPerS?: number;
  readonly dirtyPagesPerS?: number;
  readonly pageSizeBytes?: number;
  readonly iteration?: number;
  readonly postcopyRequests?: number;
  readonly autoConvergeThrottlePercent?: number;
  readonly errorMessage?: string;
  readonly success?: boolean;
}

const numericFields = {
  elapsedMs: "time_elapsed",
  setupMs: "setup_time",
  downtimeMs: "downtime",
  dataTotalBytes: "data_total",
  dataProcessedBytes: "data_processed",
  dataRemainingBytes: "data_remaining",
  memoryTotalBytes: "memory_total",
  memoryProcessedBytes: "memory_processed",
  memoryRemainingBytes: "memory_remaining",
  memoryBytesPerS: "memory_bps",
  dirtyPagesPerS: "memory_dirty_rate",
  pageSizeBytes: "memory_page_size",
  iteration: "memory_iteration",
  postcopyRequests: "memory_postcopy_requests",
  autoConvergeThrottlePercent: "auto_converge_throttle",
} as const satisfies Partial<Record<keyof JobStats, string>>;

/** Renames libvirt's fields. */
export function parseJobStats(params: NativeParams): JobStats {
  const stats: Record<string, unknown> = { type: jobTypes[Number(params.type)] ?? "none" };
  for (const [key, field] of Object.entries(numericFields)) {
    const value = params[field];
    if (typeof value === "number") stats[key] = value;
  }
  if (typeof params.operation === "number") stats.operation = jobOperations[params.operation] ?? "unknown";
  if (typeof params.errmsg === "string") stats.errorMessage = params.errmsg;
  if (typeof params.success === "number") stats.success = params.success !== 0;
  return stats as unknown as JobStats;
}
