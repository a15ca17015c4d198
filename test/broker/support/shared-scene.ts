/** A broker that shares its store with others, in the test's hands, with a room that it made or that is on record. */
import type { AgentRequest } from "@centroid/protocol";
import { RoomGrants } from "../../../server/broker/dist/hosts/room-grants.js";
import type { RoomRecord } from "../../../server/broker/dist/store/store.js";
import type { FakeAgent, FakeRoom } from "./fake-agent.js";
import { SharedDeployment } from "./shared-deployment.js";
import { QUICK, until, World } from "./world.js";

export type Restore = Extract<AgentRequest, { method: "restoreRoom" }>;
export type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;
interface Where {
  hostId: string;
  epoch: number;
  state: string;
}
export const where = (world: World, roomId: string) => world.get<Where>(`/api/v1/rooms/${roomId}`);
export const SAVED = { seq: 1, takenAtMs: 1, data: Buffer.from("saved") };

/** A room at one of two hosts, with a checkpoint. */
export async function scene() {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const world = await World.start(["a", "b"], {
    ...{ store, cluster },
    // A source that never answers is given up soon.
    migration: { ...QUICK.migration, deadlineMs: 100 },
  });
  const { roomId, centroid } = await world.join("create", "arena");
  const from = centroid.host.hostId;
  const to = from === "a" ? "b" : "a";
  await kept.putCheckpoint({ roomId, epoch: 1, ...SAVED });
  await until(async () => (await kept.rooms()).length === 1);
  return { world, deployment, kept, roomId, from, to };
}

/** A room on record at a host "a" that has not come yet, with a checkpoint. */
export async function roomOnRecord(more: Partial<RoomRecord> = {}) {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const roomId = "room-1";
  const facts = { roomId, name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...facts, hostId: "a", epoch: 1, fencedEpoch: 0, ...more });
  await kept.putCheckpoint({ roomId, epoch: 1, ...SAVED });
  return { deployment, store, cluster, kept, roomId, facts };
}

export const roomAt = (roomId: string, epoch: number): FakeRoom => ({
  ...{ roomId, name: "arena", epoch, role: "owner" as const },
  ...{ sessions: new Map(), seats: new Map() },
});

/** Takes whatever is restored to it. */
export function restores(agent: FakeAgent): Restore[] {
  const orders: Restore[] = [];
  agent.scripts.set("restoreRoom", (request) => {
    const order = request as Restore;
    orders.push(order);
    agent.rooms.set(order.roomId, roomAt(order.roomId, order.epoch));
    const slot = { processId: `${agent.hostId}-1`, address: agent.address };
    return { ...slot, sessions: [], locked: false, stateHash: "h" };
  });
  return orders;
}

/** An order of another broker of this deployment gave the host the room. */
export async function orderedElsewhere(
  { kept }: SharedDeployment,
  agent: FakeAgent,
  roomId: string,
  epoch: number,
): Promise<void> {
  const grants = new RoomGrants(await kept.secret("room-grants", () => "none"));
  const room = roomAt(roomId, epoch);
  agent.rooms.set(roomId, room);
  agent.grants.set(roomId, { epoch, grant: grants.issue({ roomId, hostId: agent.hostId, epoch }) });
  agent.tell(room, { event: "running", report: agent.report(room) });
}
