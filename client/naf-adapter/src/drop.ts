/** Which closed connections a room should wait for. */

/** WebSocket closes that say nothing (no status, abnormal), and Colyseus' "dial again" (CloseCode.MAY_TRY_RECONNECT). */
const DROPS: ReadonlySet<number> = new Set([1005, 1006, 4010]);

/** True if a connection broke; false if its player closed or reloaded the page (1001), left, or was put out. */
export const isDrop = (closeCode: number | undefined): boolean =>
  closeCode === undefined || DROPS.has(closeCode);
