/** Whom rooms in containers run as. */

/** CAP_SYS_RESOURCE in the mask of /proc/self/status. */
const SYS_RESOURCE = 1n << 24n;
/** Debian's nobody; rooms of one host are kept apart by their namespaces. */
const NOBODY = 65_534;
const ROOT = 0;

/**
 * Nobody, or root without any capability where this machine does not grant CAP_SYS_RESOURCE: criu cannot ask for the
 * limits of another user's process there.
 * @param status of this process, as in /proc/self/status
 */
export function roomUser(status: string): number {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return (mask & SYS_RESOURCE) === 0n ? ROOT : NOBODY;
}
