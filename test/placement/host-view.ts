/** A host as the placement sees it, with room for more and nothing to do, but for what a test says of it. */
import type { HostView } from "@centroid/placement";

export const hostView = (hostId: string, change: Partial<HostView> = {}): HostView => ({
  hostId,
  state: "active",
  capacityRooms: 100,
  rooms: 0,
  load: 0,
  carriers: ["process"],
  region: "",
  ...change,
});
