/** A host dies right after a room has moved to it, again and again: what it had heard and not saved is sent again. */

import type { MigrationPhase } from "@centroid/protocol";
import type { MigrateEvent } from "@centroid/sdk";
import { expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

const ROUNDS = 3;

it("loses nothing, repeats nothing and keeps the order, in every round and in the moves that follow (MSG-5)", async () => {
  // Close to each other, so that players are over before the host that they went to has saved anything.
  const near = Object.fromEntries(HOSTS.map(({ hostId }) => [hostId, 1]));
  const rttMs = Object.fromEntries(HOSTS.map(({ hostId }) => [hostId, near]));
  await using live = await LiveSystem.start(
    { lostAfterMs: 1_500, heartbeatIntervalMs: 300, autoMove: false },
    HOSTS,
    rttMs,
  );
  const ada = (await (await live.player("ada", "frankfurt")).create<LedgerState>("ledger")) as LedgerRoom;
  const bob = (await (await live.player("bob", "frankfurt")).joinById<LedgerState>(ada.roomId)) as LedgerRoom;
  const players = [ada, bob];
  const events: MigrateEvent[] = [];
  for (const room of players) room.onMigrate((event) => void events.push(event));
  let said = 0;
  const talk = setInterval(() => {
    said++;
    for (const room of players) room.send("say", said);
  }, 5);
  const book = (): { last: number; count: number; disorder: number }[] =>
    players.map(({ sessionId }) => {
      const { last, count, disorder } = ada.state.entries.get(sessionId)!;
      return { last, count, disorder };
    });
  const heardMore = async (): Promise<void> => {
    const from = said;
    await expect.poll(() => book().every(({ count }) => count > from)).toBe(true);
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await heardMore();
      const from = ada.host.hostId;
      const to = HOSTS.find(({ hostId }) => hostId !== from)!;
      const before = live.events.length;
      const phase = (wanted: MigrationPhase): Promise<true> =>
        live.event(
          (event) =>
            event.type === "migration" &&
            event.migration.phase === wanted &&
            event.migration.reason === "operator"
              ? true
              : undefined,
          before,
        );
      const moved = live.post(`/rooms/${ada.roomId}/move`, { hostId: to.hostId });
      await phase("connecting");
      const victims = descendants(live.agents.get(to.hostId)!.pid);
      // The room runs there, and nothing of it has been saved there.
      await phase("releasing");
      for (const victim of victims) process.kill(victim, "SIGKILL");
      expect(await moved).toMatchObject({ body: { outcome: "completed" } });
      const receipt = await live.event(
        (event) =>
          event.type === "receipt" && event.receipt.mechanism === "restore" ? event.receipt : undefined,
        before,
      );
      expect(receipt).toMatchObject({
        outcome: "completed",
        messagesLost: 0,
        messagesDuplicated: 0,
      });
      await live.startHost(to);
    }
    await heardMore();
    const rest = HOSTS.find(({ hostId }) => hostId !== ada.host.hostId)!;
    await live.post(`/rooms/${ada.roomId}/move`, { hostId: rest.hostId });
    await heardMore();
  } finally {
    clearInterval(talk);
  }
  const exact = { last: said, count: said, disorder: 0 };
  await expect.poll(book).toEqual([exact, exact]);
  expect(events.map(({ lost, duplicated }) => lost + duplicated)).toEqual(events.map(() => 0));
  await Promise.all(players.map((room) => room.leave()));
}, 120_000);
