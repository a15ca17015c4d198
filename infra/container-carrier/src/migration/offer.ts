/** What a destination says of itself as it makes a place for a room's container, and whether the container fits there. */
import { basename } from "node:path";
import { z } from "zod";

const offerSchema = z.object({
  /** Names the bytes of Node, its libraries and the rooms: criu maps files again by path and size alone. */
  root: z.string(),
  /** Whom rooms run as. */
  user: z.number(),
  network: z.string(),
  architecture: z.string(),
  /** Known to the two hosts and the broker; each move has its own. */
  secret: z.string().min(32),
  /** Why no room can run there before its memory is complete; it can if nothing is said. */
  noLazyPages: z.string().optional(),
});
export type ContainerOffer = z.output<typeof offerSchema>;
type Place = Omit<ContainerOffer, "secret" | "noLazyPages">;

/** @param config of the host whose place it is */
export function offeredPlace(config: { root: string; network: string }, user: number): Place {
  return { root: basename(config.root), user, network: config.network, architecture: process.arch };
}

/** Undefined for a ticket that is none of ours. */
export function readContainerOffer(ticket: string): ContainerOffer | undefined {
  try {
    return offerSchema.parse(JSON.parse(ticket));
  } catch {
    return undefined;
  }
}

const REMEDY: Readonly<Record<keyof Place, string>> = {
  root: "both hosts need the same version of Node, of centroid and of the rooms",
  user: "both hosts must grant CAP_SYS_RESOURCE to their agents, or neither",
  network: "it must be the same in container.json of all hosts",
  architecture: "containers do not move between processor architectures",
};

/** What must be made equal before a container can move there, in one line; undefined if it can. */
export function containerMisfit(
  place: Place,
  hostId: string,
  offer: ContainerOffer | undefined,
): string | undefined {
  if (offer === undefined) return `${hostId} does not say how it runs containers: is it of another version?`;
  for (const key of ["root", "user", "network", "architecture"] as const)
    if (place[key] !== offer[key])
      return `${key} is ${place[key]} here and ${offer[key]} on ${hostId}: ${REMEDY[key]}`;
  return undefined;
}
