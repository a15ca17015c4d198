/** Rooms that send players to other rooms: where a new one starts, who may ask, and who is told what. */
import type { TravelAnswer } from "@centroid/protocol";
import { expect, it } from "vitest";
import { hostOf, until, World } from "./support/world.js";

const measured = (byHost: Record<string, number>) => ({
  "~centroid": {
    protocol: 1,
    probes: Object.entries(byHost).map(([hostId, rttMs]) => ({ hostId, rttsMs: [rttMs, rttMs, rttMs] })),
  },
});

async function square(world: World) {
  const first = await world.join("create", "arena", measured({ a: 10, b: 40, c: 100 }));
  expect(first.centroid.host.hostId).toBe("a");
  const second = await world.join("joinById", first.roomId, measured({ a: 100, b: 40, c: 10 }));
  const players = [first, second].map(({ sessionId }) => ({ sessionId, auth: { of: sessionId } }));
  const owner = world.agent(await hostOf(world, first.roomId));
  const ask = async (question: object, by = owner): Promise<TravelAnswer> => {
    const answer = (await by.ask({
      method: "travel",
      roomId: first.roomId,
      to: { name: "arena" },
      options: { level: 3 },
      players,
      ...question,
    })) as TravelAnswer | { code: string };
    if ("code" in answer) throw answer;
    return answer;
  };
  return { first, second, players, owner, ask };
}

it("a new room starts where it is best for all who come, and they are the players they were", async () => {
  await using world = await World.start(["a", "b", "c"]);
  const { first, second, ask } = await square(world);
  const { roomId, seats } = await ask({});
  expect(await hostOf(world, roomId)).toBe("b");
  expect(seats.map(({ sessionId }) => sessionId)).toEqual([first.sessionId, second.sessionId]);
  for (const { seat } of seats) world.agent("b").join(roomId, seat!.sessionId);
  const known = () => world.broker.events.snapshot().players.filter((player) => player.roomId === roomId);
  await until(() => known().length === 2);
  expect(known().map(({ playerId }) => playerId)).toEqual([
    first.centroid.playerId,
    second.centroid.playerId,
  ]);
  const granted = world
    .agent("b")
    .requests.flatMap((request) =>
      request.method === "createRoom"
        ? (request.seat ?? [])
        : request.method === "reserveSeat"
          ? request
          : [],
    );
  expect(granted).toMatchObject([
    { options: { level: 3 }, sent: { auth: { of: first.sessionId } } },
    { options: { level: 3 }, sent: { auth: { of: second.sessionId } } },
  ]);
});

it("who has left meanwhile is named, and the others go", async () => {
  await using world = await World.start(["a", "b", "c"]);
  const { first, second, owner, ask } = await square(world);
  owner.leave(first.roomId, first.sessionId);
  await until(() => world.broker.events.snapshot().players.length === 1);
  const { roomId, seats } = await ask({});
  // Nearest to the one who comes.
  expect(await hostOf(world, roomId)).toBe("c");
  expect(seats).toMatchObject([
    { sessionId: first.sessionId, error: { code: "SESSION_NOT_FOUND" } },
    { sessionId: second.sessionId, seat: { roomId } },
  ]);
  owner.leave(first.roomId, second.sessionId);
  await until(() => world.broker.events.snapshot().players.every((player) => player.roomId !== first.roomId));
  await expect(ask({})).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
});

it("only the room's own host can send its players anywhere", async () => {
  await using world = await World.start(["a", "b", "c"]);
  const { ask } = await square(world);
  await expect(ask({}, world.agent("c"))).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(ask({ to: { roomId: "nowhere" } })).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
});
