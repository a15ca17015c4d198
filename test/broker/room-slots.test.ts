/** A slot that was promised to one room is not given to another while a third host is asked in vain. */
import { CentroidError } from "@centroid/protocol";
import { expect, it } from "vitest";
import { World } from "./support/world.js";

it("a room that is refused by one host does not take the other host's last slot from the room that is being made there", async () => {
  await using world = await World.start([]);
  const created: string[] = [];
  let refuse = (): void => undefined;
  const refused = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  let madeElsewhere = (): void => undefined;
  const asked = new Promise<string>((resolve) => {
    madeElsewhere = () => resolve("asked");
  });
  for (const hostId of ["a", "b"]) {
    const agent = await world.host(hostId, { capacityRooms: 1 });
    agent.scripts.set("createRoom", async () => {
      created.push(hostId);
      madeElsewhere();
      if (created.length > 1) return undefined;
      await refused;
      throw new CentroidError("HOST_FULL", "full after all");
    });
  }
  const first = world.match("create", "arena");
  await asked;
  const second = await world.join("create", "arena");
  refuse();
  await expect(first).rejects.toMatchObject({ status: 503 });
  expect(created).toHaveLength(2);
  expect(new Set(created)).toEqual(new Set(["a", "b"]));
  expect(second.centroid.host.hostId).toBe(created[1]);
});

it("a room that is restored keeps its slot meanwhile", async () => {
  await using world = await World.start(["a"]);
  const { roomId } = await world.join("create", "arena");
  const data = Buffer.from("saved").toString("base64");
  const agent = world.agent("a");
  agent.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data }));
  const b = await world.host("b", { capacityRooms: 1 });
  let restoring = (): void => undefined;
  const began = new Promise<void>((resolve) => {
    restoring = resolve;
  });
  let goOn = (): void => undefined;
  const waiting = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  b.scripts.set("restoreRoom", async () => {
    restoring();
    await waiting;
    return { processId: "b-1", address: b.address, sessions: [], locked: false, stateHash: "h" };
  });
  // Nobody who looks for a host waits for that one to come back.
  await world.call("POST", "/api/v1/hosts/a/drain", {});
  agent.crash();
  await began;
  await expect(world.match("create", "arena")).rejects.toMatchObject({ status: 503 });
  expect(b.requests.map(({ method }) => method)).not.toContain("createRoom");
  goOn();
});
