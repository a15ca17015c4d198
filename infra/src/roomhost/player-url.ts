/** Where a player reaches another host that has, or will have, its room. */
import type { Destination } from "@centroid/protocol";

export function playerUrl(
  { addresses, processId }: Pick<Destination, "addresses" | "processId">,
  roomId: string,
  sessionId: string,
  network: string | undefined,
): string {
  const address = addresses[network ?? ""] ?? addresses[""] ?? "";
  return `ws://${address}/${processId}/${roomId}?sessionId=${sessionId}`;
}
