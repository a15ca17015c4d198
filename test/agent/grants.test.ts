/** What an agent remembers of the orders that gave it rooms. */
import type { AgentRequest, RoomReport } from "@centroid/protocol";
import { expect, it } from "vitest";
import { Grants } from "../../infra/agent/dist/grants.js";

const order = (method: string, epoch: number) => ({ method, roomId: "room", epoch }) as never as AgentRequest;
const shown = (grants: Grants, epoch: number) =>
  grants.shown({ roomId: "room", epoch } as never as RoomReport).grant;

it("an order that ends does not take away what another has brought for the room since", () => {
  const grants = new Grants();
  const standbyEnds = order("disposeRoom", 3);
  const roomComes = order("migrateIn", 4);
  grants.begin(standbyEnds, undefined);
  grants.begin(roomComes, "given");
  grants.end(standbyEnds, false);
  expect(shown(grants, 4)).toBe("given");
  grants.end(roomComes, true);
  expect(shown(grants, 4)).toBe("given");
});

it("what was given for a room that did not come is forgotten", () => {
  const grants = new Grants();
  const roomComes = order("migrateIn", 4);
  grants.begin(roomComes, "given");
  grants.end(roomComes, false);
  expect(shown(grants, 4)).toBeUndefined();
});
