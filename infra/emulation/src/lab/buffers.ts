/**
 * How much of a migration may be on its way between two hosts. What lies in socket buffers when a guest stops has
 * to be read before it can go on, so buffers hold what the link needs to stay busy, its bandwidth-delay product,
 * and no queue.
 */
import type { LabLink } from "./topology.js";

/** Enough on a link without delay. */
const leastBytes = 256 * 1024;
/** The kernel's own limit of a receive buffer. */
const mostBytes = 6 * 2 ** 20;
/** What two hypervisors move at most, in bytes per millisecond. */
const unlimitedBytesPerMs = 200_000;

/** Kernel settings of one host, for its longest link to another host. */
export function socketBuffers(
  host: string,
  hosts: readonly { readonly name: string }[],
  links: readonly LabLink[],
): Record<string, string> {
  const isHost = (name: string) => hosts.some((other) => other.name === name);
  const products = links
    .filter(({ a, b }) => (a === host && isHost(b)) || (b === host && isHost(a)))
    .map(({ rttMs, jitterMs, megabitsPerS }) => {
      const bytesPerMs = megabitsPerS === undefined ? unlimitedBytesPerMs : megabitsPerS * 125;
      return (rttMs + 2 * jitterMs) * Math.min(bytesPerMs, unlimitedBytesPerMs);
    });
  const bytes = Math.round(Math.min(mostBytes, Math.max(leastBytes, ...products)));
  return { "net.ipv4.tcp_rmem": `4096 131072 ${bytes}`, "net.ipv4.tcp_wmem": `4096 16384 ${bytes}` };
}
