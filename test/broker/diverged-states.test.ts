/** Copies of states that hosts have mended are counted, if the room's own host says so. */
import { expect, it } from "vitest";
import { until, World } from "./support/world.js";

it("counts what the owner tells and nobody else", async () => {
  await using world = await World.start(["a", "b"]);
  const { roomId, sessionId, centroid } = await world.join("create", "arena");
  const owner = centroid.host.hostId;
  const room = world.agent(owner).rooms.get(roomId)!;
  const change = { event: "diverged", sessionId } as const;
  const counted = async (): Promise<number> => {
    const text = await (await fetch(`${world.broker.url}/metrics`)).text();
    return Number(/^centroid_states_diverged_total (\d+)$/m.exec(text)?.[1]);
  };
  expect(await counted()).toBe(0);
  world.agent(owner === "a" ? "b" : "a").tell(room, change);
  world.agent(owner).tell(room, change);
  await until(async () => (await counted()) === 1);
});
