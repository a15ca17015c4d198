/** What rooms publish, by two of the brokers, and heard once. */
import type { Published } from "@centroid/protocol";
import { expect, it } from "vitest";
import { PresenceRelay } from "../../infra/agent/dist/presence-relay.js";

const said = (id?: string): Published => ({
  type: "published",
  topic: "news",
  data: "one",
  ...(id !== undefined && { id }),
});

/** Brokers, by number, of which some are away; which of them passed a message on. */
function brokers(count: number, away: readonly number[]): { relay: PresenceRelay; told: number[] } {
  const told: number[] = [];
  const links = Array.from({ length: count }, (_, broker) => ({
    published: () => {
      if (away.includes(broker)) return false;
      told.push(broker);
      return true;
    },
  }));
  return { relay: new PresenceRelay(links), told };
}

it.each([
  { count: 1, away: [], by: [0] },
  { count: 3, away: [], by: [0, 1] },
  { count: 3, away: [0], by: [1, 2] },
  { count: 3, away: [0, 2], by: [1] },
  { count: 2, away: [0, 1], by: [] },
])("goes by two of $count brokers, of which $away are away: $by", ({ count, away, by }) => {
  const { relay, told } = brokers(count, away);
  relay.tell(said("a:1"));
  expect(told).toEqual(by);
});

it("takes the first copy of a message, however many others came between the two", () => {
  const { relay } = brokers(0, []);
  const ids = Array.from({ length: 5_000 }, (_, at) => `a:${at}`);
  expect(ids.every((id) => relay.isNew(said(id)))).toBe(true);
  expect(ids.some((id) => relay.isNew(said(id)))).toBe(false);
  // Hosts of an earlier version give no id, and use one broker.
  expect([relay.isNew(said()), relay.isNew(said())]).toEqual([true, true]);
});
