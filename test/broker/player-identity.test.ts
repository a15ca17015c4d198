/** Which player somebody is: ids that were given out belong to who has their token, while it lasts. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore, MemoryStore, type Store } from "@centroid/broker";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../server/broker/dist/base/clock.js";
import { World } from "./support/world.js";

const HOUR_MS = 3_600_000;
let aheadMs = 0;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

async function worldAt(store: Store = new MemoryStore()) {
  aheadMs = 0;
  // Hosts of an hour ago are as good as of now.
  return World.start(["a"], { clock, store, lostAfterMs: 1_000 * HOUR_MS });
}
type Hints = { playerId?: string; playerToken?: string };
async function joins(world: World, hints: Hints) {
  const { roomId, sessionId, centroid } = await world.join("create", "arena", {
    "~centroid": { protocol: 1, probes: [], ...hints },
  });
  const { playerId, playerToken } = centroid;
  return { playerId, playerToken, leave: () => world.agent("a").leave(roomId, sessionId) };
}
async function away(world: World, player: { leave: () => void }) {
  player.leave();
  await expect
    .poll(async () =>
      (await world.get<{ players: number }[]>("/api/v1/rooms")).reduce(
        (sum, { players }) => sum + players,
        0,
      ),
    )
    .toBe(0);
}
const report = (world: World, { playerId, playerToken }: Required<Hints>) =>
  world.call("POST", "/centroid/v1/probes", { playerId, playerToken, probes: [] }, "");

describe("an id that a player chose", () => {
  it("is not given to somebody else while its owner is away, also after a restart", async () => {
    const store = new MemoryStore();
    await using world = await worldAt(store);
    const ada = await joins(world, { playerId: "ada" });
    expect(ada.playerId).toBe("ada");
    await away(world, ada);
    const thief = await joins(world, { playerId: "ada" });
    expect(thief.playerId).not.toBe("ada");
    expect((await joins(world, { playerId: "ada", playerToken: thief.playerToken })).playerId).not.toBe(
      "ada",
    );
    for (const agent of world.net.values()) agent.disconnect();
    await world.restart();
    await world.agent("a").connect(world.broker.url);
    expect((await joins(world, { playerId: "ada" })).playerId).not.toBe("ada");
    expect(await joins(world, { playerId: "ada", playerToken: ada.playerToken })).toMatchObject({
      playerId: "ada",
      playerToken: ada.playerToken,
    });
  });

  it("is free again once its token has ended", async () => {
    await using world = await worldAt();
    const ada = await joins(world, { playerId: "ada" });
    await away(world, ada);
    aheadMs = 25 * HOUR_MS;
    expect((await report(world, ada)).status).toBe(401);
    const other = await joins(world, { playerId: "ada" });
    expect(other.playerId).toBe("ada");
    expect((await joins(world, { playerId: "ada", playerToken: ada.playerToken })).playerId).not.toBe("ada");
  });

  it("stays its owner's for as long as it plays", async () => {
    await using world = await worldAt();
    let ada: Required<Hints> = await joins(world, { playerId: "ada" });
    const first = ada.playerToken;
    for (let day = 0; day < 3; day++) {
      aheadMs += 20 * HOUR_MS;
      const response = await report(world, ada);
      expect(response.status).toBe(200);
      const { playerToken } = (await response.json()) as { playerToken?: string };
      expect(playerToken).toBeDefined();
      ada = { playerId: "ada", playerToken: playerToken! };
    }
    expect((await report(world, { ...ada, playerToken: first })).status).toBe(401);
    expect(((await (await report(world, ada)).json()) as Hints).playerToken).toBeUndefined();
    expect((await joins(world, { playerId: "ada" })).playerId).not.toBe("ada");
    expect((await joins(world, ada)).playerId).toBe("ada");
  });

  it("is not given out while nothing can be stored, and the player joins all the same", async () => {
    const store = new MemoryStore();
    store.takePlayerId = () => Promise.reject(new Error("ENOSPC"));
    await using world = await worldAt(store);
    expect((await joins(world, { playerId: "ada" })).playerId).not.toBe("ada");
  });
});

it("an id that the broker made is its token's for ever, and nobody chooses one like it", async () => {
  await using world = await worldAt();
  const made = await joins(world, {});
  await away(world, made);
  aheadMs = 1_000 * HOUR_MS;
  for (const hints of [{ playerId: made.playerId }, made])
    expect((await joins(world, hints)).playerId).not.toBe(made.playerId);
});

it.each(["", "x", "zzzzzzzz.", "NaN.abc", ".abc", "9".repeat(150)])(
  "a token that is none proves nothing: %j",
  async (playerToken) => {
    await using world = await worldAt();
    const ada = await joins(world, { playerId: "ada" });
    expect((await report(world, { playerId: "ada", playerToken })).status).toBe(401);
    const forged = ada.playerToken.replace(/^[^.]*/, (end) => (Number.parseInt(end, 36) + 1).toString(36));
    expect((await report(world, { playerId: "ada", playerToken: forged })).status).toBe(401);
  },
);

it("stores free ids that have ended", async () => {
  const folder = await mkdtemp(join(tmpdir(), "centroid-ids-"));
  for (const store of [new MemoryStore(), new LmdbStore(folder)]) {
    for (let at = 0; at < 9_999; at++) void store.takePlayerId(`p${at}`, 10, 0);
    expect(await store.takePlayerId("p1", 10, 5)).toBe(false);
    expect(await store.takePlayerId("last", 100, 20)).toBe(true);
    expect(await store.takePlayerId("p1", 100, 20)).toBe(true);
    await (store as Store).extendPlayerId("p1", 200, 20);
    expect(await store.takePlayerId("p1", 300, 150)).toBe(false);
    await store[Symbol.asyncDispose]();
  }
  await rm(folder, { recursive: true });
});
