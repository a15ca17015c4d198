/** Orders of a broker that was slow, for a room that was given away since. */
import type { AgentRequest } from "@centroid/protocol";
import { expect, it } from "vitest";
import { LetGo } from "../../infra/agent/dist/let-go.js";

it("a restore that another broker has overtaken builds no room (FAIL-6)", () => {
  const letGo = new LetGo();
  const order =
    (method: string, epoch: number, roomId = "room-1") =>
    () =>
      letGo.check({ method, roomId, epoch } as AgentRequest);
  expect(order("restoreRoom", 5)).not.toThrow();
  order("disposeRoom", 6)();
  order("disposeRoom", 4)();
  for (const method of ["restoreRoom", "migrateIn"]) {
    expect(order(method, 5)).toThrow(/given to another host/);
    expect(order(method, 6)).toThrow(/given to another host/);
    expect(order(method, 7)).not.toThrow();
    expect(order(method, 5, "room-2")).not.toThrow();
  }
});

it("a move that another broker has called off does not begin at either host (OWN-3)", () => {
  const letGo = new LetGo();
  const order = (method: string, migrationId: string) => () =>
    letGo.check({ method, roomId: "room-1", epoch: 2, migrationId } as AgentRequest);
  expect(order("migrateIn", "first")).not.toThrow();
  order("abortMigration", "first")();
  for (const method of ["migrateIn", "migrateOut"]) {
    expect(order(method, "first")).toThrow(/called off/);
    expect(order(method, "second")).not.toThrow();
  }
});
