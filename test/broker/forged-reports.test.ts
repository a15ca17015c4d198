/** What players say of a move goes into its receipt only as far as it can be true. */
import type { AgentRequest } from "@centroid/protocol";
import { expect, it } from "vitest";
import { World } from "./support/world.js";

type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;

it("a player is heard once, a stranger not at all, and no silence is longer than the move", async () => {
  await using world = await World.start(["a", "b"]);
  const { roomId, centroid, sessionId } = await world.join("joinOrCreate", "arena");
  const from = centroid.host.hostId;
  const to = from === "a" ? "b" : "a";
  world.agent(from).scripts.set("migrateOut", (request) => {
    const { migrationId } = request as MigrateOut;
    return world.agent(from).migrateOut(request as MigrateOut, (step) => {
      if (step !== "accepted") return;
      const room = world.agent(to).rooms.get(roomId)!;
      const report = { event: "report", migrationId, patchRateMs: 50, lost: 0, duplicated: 0 } as const;
      world.agent(to).tell(room, { ...report, sessionId: "stranger", gapMs: 1e12, lost: 1_000_000 });
      world.agent(to).tell(room, { ...report, sessionId, gapMs: 1e12 });
      world.agent(to).tell(room, { ...report, sessionId, gapMs: 5, lost: 7 });
    });
  });
  const began = performance.now();
  const receipt = await world.move(roomId, to);
  expect(receipt).toMatchObject({ messagesLost: 0, freezeMs: { clients: 1 } });
  expect(receipt.freezeMs?.max).toBeLessThanOrEqual(performance.now() - began + 51);
});
