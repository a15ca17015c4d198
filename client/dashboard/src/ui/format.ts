/** Numbers and times as people read them. */
const DASH = "–";

/** Milliseconds: one decimal below 10, none above. */
export function formatMs(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return DASH;
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** Time spans from milliseconds to minutes. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return formatMs(ms);
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Local wall clock, with seconds. */
export function formatTime(atMs: number): string {
  return new Date(atMs).toLocaleTimeString("en-GB");
}

/** Local date, short. */
export function formatDay(atMs: number): string {
  return new Date(atMs).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
