/** Where a player reaches another host that has, or will have, its room. */
import type { Destination } from "@centroid/protocol";

export function playerUrl(
  { addresses, processId }: Pick<Destination, "addresses" | "processId">,
  roomId: string,
  sessionId: string,
  network: string | undefined,
): string {
  // A label is a stranger's word: it may be the name of something that every object has.
  const label = network !== undefined && Object.hasOwn(addresses, network) ? network : "";
  const address = addresses[label] ?? "";
  return `ws://${address}/${processId}/${roomId}?sessionId=${sessionId}`;
}
