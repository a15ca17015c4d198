/** An order is on record before it is carried out; one that cannot be recorded is not carried out. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore, MemoryStore, type Store } from "@centroid/broker";
import type { AgentRequest, AuditEntry } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { World } from "./support/world.js";

type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;
const audit = (world: World): Promise<AuditEntry[]> => world.get("/api/v1/audit");

describe("an order", () => {
  it.each(["memory", "lmdb"])(
    "is on record while it is carried out, and once after it (%s)",
    async (kind) => {
      const folder = await mkdtemp(join(tmpdir(), "centroid-audit-"));
      await using store: Store = kind === "lmdb" ? new LmdbStore(folder) : new MemoryStore();
      await using world = await World.start(["a", "b"], { store });
      const { roomId, centroid } = await world.join("joinOrCreate", "arena");
      const from = centroid.host.hostId;
      let during: AuditEntry[] = [];
      world.agent(from).scripts.set("migrateOut", (request) =>
        world.agent(from).migrateOut(request as MigrateOut, async (step) => {
          if (step === "begun") during = await audit(world);
        }),
      );
      await world.move(roomId, from === "a" ? "b" : "a");
      expect(during).toMatchObject([{ action: "move", roomId, outcome: "begun" }]);
      const after = await audit(world);
      expect(after).toMatchObject([{ action: "move", roomId, outcome: "done" }]);
      expect(after[0]?.auditId).toBe(during[0]?.auditId);
      await rm(folder, { recursive: true });
    },
  );

  it("whose caller's name cannot be read is refused before anything is done", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("joinOrCreate", "arena");
    const answer = await fetch(`${world.broker.url}/api/v1/rooms/${roomId}/lock`, {
      method: "POST",
      headers: { authorization: `Bearer ${world.broker.adminToken}`, "centroid-operator": "%E0%A4%A" },
    });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: { code: "BAD_REQUEST", message: expect.stringContaining("centroid-operator") } },
    ]);
    expect(world.agent("a").requests.map(({ method }) => method)).not.toContain("setLocked");
    expect(await audit(world)).toMatchObject([{ action: "lock", outcome: "refused", code: "BAD_REQUEST" }]);
  });
});
