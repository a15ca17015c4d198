/** How rooms are found and made, by players and by rooms, and what is said when they are not. */
import type { Room } from "@colyseus/sdk";
import { type Feature, outcome, type Stage, until } from "./stage.js";

const area = "matchmaking";

const next = (room: Room, type: string): Promise<unknown> =>
  new Promise((resolve) => void room.onMessage(type, resolve));
/** Joins by the seat that a room gave. */
const take = async (t: Stage, seat: unknown): Promise<Room> =>
  t.add((await t.client().consumeSeatReservation(seat as never)) as Room);

export const matchmakingFeatures: Feature[] = [
  {
    area,
    name: "errors of `static onAuth()`, `onCreate()` and `onJoin()`: code and text",
    async play(t) {
      const seen: unknown[] = [];
      for (const deny of ["code", "throw", "false"])
        seen.push(await outcome(t.client().create("gate", { deny })));
      for (const fail of ["code", "throw"]) seen.push(await outcome(t.client().create("gate", { fail })));
      for (const deny of ["join code", "join throw"])
        seen.push(await outcome(t.client().create("gate", { deny })));
      return seen;
    },
  },
  {
    area,
    name: "errors of matchmaking: no such type, room or token; locked; full",
    async play(t) {
      const client = t.client();
      const locked = await t.create({ hooks: { create: (r) => r.lock() } });
      const full = t.add(await client.create("match", { size: 1, code: "full" }));
      const without = (it: unknown): unknown =>
        JSON.parse(JSON.stringify(it).replaceAll(locked.roomId, "LOCKED").replaceAll(full.roomId, "FULL"));
      const seen = [];
      for (const asked of [
        () => client.create("nothing"),
        () => client.join("match", { code: "nobody's" }),
        () => client.joinById("nowhere12"),
        () => client.joinById(locked.roomId),
        () => client.joinById(full.roomId),
        () => client.reconnect(`${full.roomId}:wrong`),
        () => client.reconnect("nowhere12:wrong"),
      ])
        seen.push(without(await outcome(asked())));
      return seen;
    },
  },
  {
    area,
    name: "`matchMaker` in a room: `createRoom`, `query`, `findOneRoomAvailable`, `reserveMultipleSeatsFor`, `remoteRoomCall`",
    async play(t) {
      const room = await t.create();
      const code = `own ${room.roomId}`;
      const made = await t.run<string>(
        room,
        async (_r, _c, code, { matchMaker }) => (await matchMaker.createRoom("match", { code })).roomId,
        code,
      );
      const inside = await t.join({ roomId: made } as Room);
      await t.disturb(room, inside);
      await until(async () =>
        t.run<boolean>(
          room,
          async (_r, _c, code, { matchMaker }) =>
            (await matchMaker.query({ name: "match", code } as never)).length === 1,
          code,
        ),
      );
      const seats = await t.run<unknown[]>(
        room,
        async (_r, _c, code, { matchMaker }) => {
          const found = await matchMaker.findOneRoomAvailable("match", { code });
          await matchMaker.reserveMultipleSeatsFor(found as never, [
            { sessionId: `one-${found.roomId}`, options: { n: 1 }, auth: undefined },
            { sessionId: `two-${found.roomId}`, options: { n: 2 }, auth: undefined },
          ]);
          return ["one", "two"].map((n) => matchMaker.buildSeatReservation(found, `${n}-${found.roomId}`));
        },
        code,
      );
      const taken = await Promise.all(seats.map((seat) => take(t, seat)));
      return [
        taken.map(({ roomId }) => roomId === made),
        await t.run(taken[0] as Room, (r) => r.seen),
        await t.run(
          room,
          (_r, _c, id, { matchMaker }) => matchMaker.remoteRoomCall(id as string, "roomName" as never),
          made,
        ),
      ];
    },
  },
  {
    area,
    name: "`QueueRoom`: two wait, a third comes, all are seated together",
    async play(t) {
      const first = t.add(await t.client().create("queue", { rank: 1 }));
      const second = await t.join(first, { rank: 1 });
      await until(() =>
        t.run<boolean>(first, (r) =>
          r.clients.every((c: { userData?: { group?: unknown } }) => c.userData?.group !== undefined),
        ),
      );
      await t.disturb(first, second);
      const seats = [next(first, "seat"), next(second, "seat")];
      const third = await t.join(first, { rank: 1 });
      seats.push(next(third, "seat"));
      const rooms = await Promise.all(seats.map(async (seat) => (await take(t, await seat)).roomId));
      return new Set(rooms).size;
    },
  },
  {
    area,
    name: "`RelayRoom`: messages to the others, players in its state, back in time",
    async play(t) {
      const one = t.add(await t.client().create("relay", { name: "one", allowReconnectionTime: 30 }));
      const two = await t.join(one, { name: "two" });
      await t.disturb(one, two);
      const told = next(two, "hi");
      one.send("hi", { n: 1 });
      const [from, message] = (await told) as [string, unknown];
      two.reconnection.enabled = false;
      await Promise.race([two.leave(false), new Promise((done) => setTimeout(done, 500))]);
      const players = () =>
        [
          ...(one.state as { players: Map<string, { name: string; connected: boolean }> }).players.values(),
        ].map(({ name, connected }) => [name, connected]);
      await until(() => JSON.stringify(players()).includes('"two",false'));
      const gone = players();
      t.add(await t.client().reconnect(two.reconnectionToken));
      await until(() => JSON.stringify(players()).includes('"two",true'));
      return [from === one.sessionId, message, gone, players()];
    },
  },
  {
    area,
    name: "`LobbyRoom` with a filter, and rooms that change",
    async play(t) {
      const lobby = t.add(await t.client().create("lobby"));
      const code = `lobby ${lobby.roomId}`;
      const known = new Map<string, unknown>();
      lobby.onMessage("rooms", (rooms: { roomId: string; metadata: unknown }[]) => {
        for (const { roomId, metadata } of rooms) known.set(roomId, metadata);
      });
      lobby.onMessage("+", ([roomId, { metadata }]: [string, { metadata: unknown }]) =>
        known.set(roomId, metadata),
      );
      lobby.onMessage("-", (roomId: string) => known.delete(roomId));
      lobby.send("filter", { name: "match", metadata: { code } });
      await t.disturb(lobby);
      const match = t.add(await t.client().create("match", { code }));
      await until(() => known.has(match.roomId));
      const other = t.add(await t.client().create("match", { code: "another" }));
      const first = [known.get(match.roomId), known.has(other.roomId)];
      await t.run(match, (r) => r.setMetadata({ ...r.metadata, round: 2 }));
      await until(() => JSON.stringify(known.get(match.roomId)).includes("round"));
      const changed = known.get(match.roomId);
      await match.leave();
      await until(() => !known.has(match.roomId));
      const text = (it: unknown): unknown => JSON.parse(JSON.stringify(it).replaceAll(lobby.roomId, "LOBBY"));
      return text([first, changed]);
    },
  },
];
