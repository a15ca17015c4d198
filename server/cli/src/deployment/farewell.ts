/** What becomes of the rooms, said when a deployment begins to end. */
import type { Deployment } from "./deployment.js";

export function farewell({ broker, agents, keepsRooms }: Deployment, json: boolean): string {
  const ours = new Set(agents.map(({ hostId }) => hostId));
  const rooms = broker.events.snapshot().rooms.filter(({ hostId }) => ours.has(hostId)).length;
  if (json) return JSON.stringify({ type: "stopping", rooms, keepsRooms });
  const count = rooms === 1 ? "1 room" : `${rooms} rooms`;
  if (keepsRooms) return `stopping: ${count} kept, as last saved, for another broker or the next start`;
  return `stopping: ${count} to end, with their hooks; players are told`;
}
