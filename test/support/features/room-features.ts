/** What a room has beside its state: fields, settings, timers, handlers, messages. */
import type { Room } from "@colyseus/sdk";
import { type Feature, type InRoom, outcome, until } from "./stage.js";

const area = "room";

/** The next message of that type. */
const next = (room: Room, type: string | number): Promise<unknown> =>
  new Promise((resolve) => {
    const stop = room.onMessage(type as string, (message: unknown) => {
      stop();
      resolve(message);
    });
  });

export const roomFeatures: Feature[] = [
  {
    area,
    name: "plain fields: collections, dates, `_names`, one object in several fields",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r) => {
        const team = { name: "red", since: new Date(7) };
        r.teams = [team];
        r.byName = new Map([["red", team]]);
        r._scored = 3;
        r.words = new Set(["a"]);
        r.bytes = new Uint8Array([1, 2]);
        r.pattern = /x+/g;
      });
      await t.disturb(room);
      return t.run(room, (r) => {
        r.byName.get("red").name = "blue";
        return [
          r.teams[0].name,
          r.teams[0].since.getTime(),
          r._scored,
          [...r.words],
          [...r.bytes],
          String(r.pattern),
        ];
      });
    },
  },
  {
    area,
    name: "`userData`, `auth` and own fields of clients, with nodes of the state and other clients in them",
    async play(t) {
      const room = await t.create({ hooks: { auth: () => ({ id: 5, roles: new Set(["admin"]) }) } });
      const other = await t.join(room);
      await t.run(room, (r, c, _a, { Unit }) => {
        const unit = new Unit().assign({ name: "u" });
        r.state.units.set("u", unit);
        const mate = r.clients.find((it: unknown) => it !== c);
        c.userData = { unit, mate, party: [c, mate] };
        c.team = "red";
        r.party = c.userData.party;
      });
      await t.disturb(room, other);
      return t.run(room, (r, c) => [
        c.userData.unit === r.state.units.get("u"),
        c.userData.mate === r.clients.find((it: unknown) => it !== c),
        c.userData.party[0] === c,
        r.party === c.userData.party,
        c.team,
        c.auth.id,
        [...c.auth.roles],
      ]);
    },
  },
  {
    area,
    name: "timers of methods, given clients and nodes; paused, cleared, kept in fields",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, c, _a, { Unit }) => {
        c.userData = "me";
        r.state.units.set("u", new Unit().assign({ name: "u" }));
        r.clock.setTimeout(r.note, 1_500, "soon", c, r.state.units.get("u"));
        r.fuse = r.clock.setTimeout(r.note, 600_000, "fuse");
        r.over = r.clock.setTimeout(r.note, 1, "first");
        r.gone = r.clock.setTimeout(r.note, 600_000, "cleared");
        r.gone.clear();
        r.held = r.clock.setInterval(r.note, 100, "held");
        r.held.pause();
      });
      await t.disturb(room);
      await until(async () => (await t.run<unknown[]>(room, (r) => r.log)).includes("unit u"), 20_000);
      return t.run(room, (r) => {
        r.over.clear();
        const found = [r.fuse.active, r.gone.active, r.held.paused, r.log];
        r.fuse.clear();
        return found;
      });
    },
  },
  {
    area,
    name: "fields of plugins",
    async play(t) {
      const room = await t.create();
      room.send("count");
      await t.run(room, (r) => {
        r.plugins.counter.count += 4;
        r.plugins.counter.byName.set("x", 1);
      });
      await t.disturb(room);
      room.send("count");
      return t.run(room, (r) => [
        r.plugins.counter.count,
        [...r.plugins.counter.byName],
        r.plugins.counter.room === r,
      ]);
    },
  },
  {
    area,
    name: "`maxClients` below the number of players, `lock()` taken back, `unlisted`, `setPrivate()`",
    async play(t) {
      const room = await t.create({
        hooks: {
          create: async (r) => {
            await r.lock();
            await r.setPrivate(true);
            await r.setMatchmaking({ unlisted: true, metadata: { a: 1 } });
          },
        },
      });
      await t.run(room, async (r) => {
        await r.unlock();
        await r.setPrivate(false);
        await r.setMatchmaking({ unlisted: false, metadata: { a: 2 } });
      });
      const other = await t.join(room);
      await t.run(room, (r) => r.setMatchmaking({ maxClients: 1 }));
      await t.disturb(room, other);
      const full = await outcome(t.join(room));
      await t.run(room, (r) => {
        r.maxClients = 5;
      });
      let late: unknown;
      await until(async () => {
        late = await outcome(t.join(room).then(() => "in"));
        return late === "in";
      });
      return [
        (full as { code?: number }).code,
        late,
        await t.run(room, (r) => [
          r.locked,
          r.maxClients,
          r.clients.length,
          r._listing.private,
          r._listing.unlisted,
          r.metadata,
        ]),
      ];
    },
  },
  {
    area,
    name: "`maxMessagesPerSecond`, `seatReservationTimeout`, `patchRate`, `autoDispose` changed later",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r) => {
        r.maxMessagesPerSecond = 77;
        r.seatReservationTimeout = 3;
        r.patchRate = 33;
        r.autoDispose = false;
      });
      await t.disturb(room);
      return t.run(room, (r) => [
        r.maxMessagesPerSecond,
        r.seatReservationTimeout,
        r.patchRate,
        r.autoDispose,
      ]);
    },
  },
  {
    area,
    name: "`patchRate = null` and `broadcastPatch()` by hand",
    async play(t) {
      const room = await t.create({ hooks: { create: (r) => r.setPatchRate(null) } });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.n = 4;
        r.broadcastPatch();
      });
      await until(() => (room.state as { n?: number }).n === 4);
      return [(room.state as { n: number }).n, await t.run(room, (r) => r.patchRate)];
    },
  },
  {
    area,
    name: "`setSimulationInterval()` with a method, later; stopped again",
    async play(t) {
      const room = await t.create({ hooks: { create: (r) => r.setSimulationInterval(() => undefined, 20) } });
      await t.run(room, (r) => r.setSimulationInterval(r.step, 10));
      await t.disturb(room);
      const before = await t.run<number>(room, (r) => r.state.n);
      await until(async () => (await t.run<number>(room, (r) => r.state.n)) > before + 3);
      return "runs";
    },
  },
  {
    area,
    name: "`onMessage()` with a method, later; handlers of `onCreate()` taken back",
    async play(t) {
      const room = await t.create({
        hooks: {
          create: (r) => {
            r.onMessage("ask", () => "first");
            r.offs = r.onMessage("gone", () => "still here");
            r.onMessage("*", () => undefined);
          },
        },
      });
      await t.run(room, (r) => {
        r.onMessage("later", r.reply);
        r.offs();
      });
      await t.disturb(room);
      const replied = next(room, "replied");
      room.send("later", 5);
      return [await replied, await outcome(room.request("ask")), await outcome(room.request("gone"))];
    },
  },
  {
    area,
    name: "`presence`: counters, hashes, sets, lists, shared by all rooms; changed once by `onCreate()`",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        create: async (r) => {
          r.at = `rooms of ${r.roomId}`;
          r.number = await r.presence.incr(r.at);
          await r.presence.sadd(`${r.at} names`, r.roomName);
        },
      };
      const room = await t.create({ hooks });
      const other = await t.create();
      const change: InRoom = async ({ presence }, _c, at) => [
        await presence.hincrby(`${at} score`, "ann", 3),
        await presence.hset(`${at} score`, "ben", "7"),
        await presence.rpush(`${at} queue`, "a", "b", "c"),
        await presence.setex(`${at} brief`, "x", 3_600),
        await presence.sadd(`${at} names`, "chess"),
        await presence.lpop(`${at} queue`),
      ];
      const at = await t.run<string>(room, (r) => r.at);
      const before = await t.run(room, change, at);
      await t.disturb(room, other);
      const read: InRoom = async ({ presence, number }, _c, key, { matchMaker }) => [
        number,
        Number(await presence.get(key)),
        Number(await matchMaker.presence.get(key)),
        Object.entries(await presence.hgetall(`${key} score`)).map(([name, n]) => [name, Number(n)]),
        await presence.hdel(`${key} score`, "ben"),
        await presence.hlen(`${key} score`),
        await presence.smembers(`${key} names`),
        await presence.sismember(`${key} names`, "go"),
        (await presence.brpop(`${key} queue`, 1))[1],
        await presence.llen(`${key} queue`),
        await presence.exists(`${key} brief`),
        await presence.del(`${key} brief`),
        await presence.exists(`${key} brief`),
        (await presence.get(`${key} brief`)) ?? "none",
        await presence.decr(key),
      ];
      return [
        before,
        await t.run(room, read, at),
        await t.run(other, (r, _c, key) => r.presence.hget(key, "ann").then(Number), `${at} score`),
      ];
    },
  },
  {
    area,
    name: "`presence`: subscribed with a method later, a subscription of `onCreate()` taken back",
    async play(t) {
      const room = await t.create({
        hooks: {
          create: async (r) => {
            r.early = (what: string) => r.log.push(`early ${what}`);
            await r.presence.subscribe(`early ${r.roomId}`, r.early);
          },
        },
      });
      await t.run(room, async (r) => {
        await r.presence.subscribe(`later ${r.roomId}`, r.note);
        await r.presence.unsubscribe(`early ${r.roomId}`);
      });
      await t.disturb(room);
      await t.run(room, async (r) => {
        await r.presence.publish(`early ${r.roomId}`, "no");
        await r.presence.publish(`later ${r.roomId}`, { a: [1] });
      });
      await until(async () => (await t.run<unknown[]>(room, (r) => r.log)).length > 0);
      return t.run(room, (r) => r.log);
    },
  },
  {
    area,
    name: "`messages = {…}`, numbers as types, bytes, requests, `*`",
    async play(t) {
      const room = await t.create({
        hooks: {
          create: (r) => {
            r.onMessageBytes(
              "raw",
              (c: { sendBytes(type: string, bytes: Uint8Array): void }, bytes: Uint8Array) =>
                c.sendBytes(
                  "raw",
                  bytes.map((b) => b + 1),
                ),
            );
            r.onMessage(
              "*",
              (c: { send(type: string, message: unknown): void }, type: string, message: unknown) =>
                c.send("any", [type, message]),
            );
            r.onMessage("sum", (_c: unknown, values: number[], ctx: { reject(reason: string): unknown }) =>
              values.length === 0 ? ctx.reject("nothing") : values.reduce((a, b) => a + b),
            );
            r.onMessage("throws", () => {
              throw new Error("broken");
            });
          },
        },
      });
      await t.disturb(room);
      const greeted = next(room, "greeted");
      room.send("greet", "you");
      const number = next(room, 7);
      room.send(7, 41);
      const raw = next(room, "raw");
      room.sendBytes("raw", new Uint8Array([1, 2, 3]));
      const any = next(room, "any");
      room.send("unheard of", { deep: [1, { x: null }] });
      return [
        await greeted,
        await number,
        [...((await raw) as Uint8Array)],
        await any,
        await room.request("sum", [1, 2, 3]),
        await outcome(room.request("sum", [])),
        await outcome(room.request("throws")),
        await outcome(room.request("nobody answers")),
      ];
    },
  },
  {
    area,
    name: "large messages, and `broadcast()` with `except` and `afterNextPatch`",
    async play(t) {
      const room = await t.create();
      const other = await t.join(room);
      await t.disturb(room, other);
      const told: unknown[] = [];
      room.onMessage("told", (message: unknown) => told.push(["room", message]));
      other.onMessage("told", (message: unknown) => told.push(["other", message]));
      const large = next(room, "large");
      await t.run(room, (r, c) => {
        r.broadcast("told", 1, { except: c });
        r.broadcast("told", 2, { afterNextPatch: true });
        c.send("large", "x".repeat(200_000));
      });
      const length = ((await large) as string).length;
      await until(() => told.length === 3);
      return [length, told.map(String).sort()];
    },
  },
  {
    area,
    name: "no handler for a message: the player is closed with a code",
    async play(t) {
      const room = await t.create();
      const other = await t.join(room);
      await t.disturb(room, other);
      const left = new Promise((resolve) => other.onLeave((code, reason) => resolve([code, reason])));
      other.send("nothing", 1);
      return left;
    },
  },
  {
    area,
    name: "`onUncaughtException()`: of messages and of timers",
    async play(t) {
      const room = await t.create({}, "careful");
      await t.disturb(room);
      room.send("fail");
      await t.run(room, (r) => void r.clock.setTimeout(r.explode, 10));
      await until(async () => (await t.run<string[]>(room, (r) => r.caught)).length === 2);
      return t.run(room, (r) => r.caught);
    },
  },
  {
    area,
    name: "`clock`: time goes on, `clear()` ends its timers",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r) => {
        r.clock.setInterval(r.note, 10, "beat");
        r.clock.clear();
      });
      const before = await t.run<number>(room, (r) => r.clock.elapsedTime);
      await t.disturb(room);
      await until(async () => (await t.run<number>(room, (r) => r.clock.elapsedTime)) > before - 1_500);
      return t.run(room, (r) => [r.log, r.clock.delayed.length]);
    },
  },
];
