/** How players come, go and come back. */
import type { Room } from "@colyseus/sdk";
import { type Feature, type InRoom, outcome, type Stage, until } from "./stage.js";

const area = "connections";

/** Goes without a word, as by a broken connection. */
async function drop(room: Room): Promise<void> {
  room.reconnection.enabled = false;
  await Promise.race([room.leave(false), new Promise((done) => setTimeout(done, 500))]);
}
const left = (room: Room): Promise<unknown> =>
  new Promise((resolve) => room.onLeave((code, reason) => resolve([code, reason ?? ""])));
const log = (t: Stage, room: Room): Promise<unknown[]> => t.run(room, (r) => r.log);
const back = async (t: Stage, room: Room): Promise<Room> =>
  t.add(await t.client().reconnect(room.reconnectionToken));
const named: Record<"join" | "leave", InRoom> = {
  join: (r, c, options) => {
    c.userData = options.name ?? "first";
    r.log.push(`join ${c.userData}`);
  },
  leave: (r, c, code) => void r.log.push(`leave ${c.userData} ${code}`),
};

export const clientFeatures: Feature[] = [
  {
    area,
    name: "`allowReconnection()` in `onDrop()`: held, back, each hook once",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        ...named,
        drop: (r, c) => {
          r.log.push("drop");
          r.allowReconnection(c, 60);
        },
        reconnect: (r, c) => void r.log.push(`back ${c.userData}`),
      };
      const room = await t.create({ hooks });
      const other = await t.join(room, { name: "other" });
      await drop(other);
      await until(async () => (await log(t, room)).includes("drop"));
      await t.disturb(room);
      const again = await back(t, other);
      await t.answers(again);
      return [await log(t, room), again.sessionId === other.sessionId];
    },
  },
  {
    area,
    name: "`allowReconnection().then()` and `.catch()`: done wherever the room is by then",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        ...named,
        drop: (r, c) => {
          r.allowReconnection(c, 60).then(
            () => r.log.push("is back"),
            () => r.log.push("is gone"),
          );
        },
      };
      const room = await t.create({ hooks });
      const [stays, goes] = [await t.join(room, { name: "b" }), await t.join(room, { name: "c" })];
      await Promise.all([drop(stays), drop(goes)]);
      await until(() => t.run<boolean>(room, (r) => r.clients.length === 1));
      await t.disturb(room);
      await back(t, stays);
      await until(async () => (await log(t, room)).includes("is back"));
      await t.run(room, (r) => {
        for (const [, reconnection] of Object.values(r._reconnections) as [string, { reject(): void }][])
          reconnection.reject();
      });
      await until(async () => (await log(t, room)).includes("is gone"));
      await until(async () => (await log(t, room)).some((line) => String(line).startsWith("leave c")));
      return log(t, room);
    },
  },
  {
    area,
    name: 'what `allowReconnection(client, "manual")` returns, kept in a field and rejected',
    async play(t) {
      const hooks: Record<string, InRoom> = {
        ...named,
        drop: (r, c) => {
          r.waiting ??= new Map();
          r.waiting.set("who", r.allowReconnection(c, "manual"));
        },
      };
      const room = await t.create({ hooks });
      const other = await t.join(room, { name: "b" });
      await drop(other);
      await until(() => t.run<boolean>(room, (r) => r.waiting?.size === 1));
      await t.disturb(room);
      await t.run(room, (r) => r.waiting.get("who").reject(new Error("enough")));
      await until(async () => (await log(t, room)).length > 2);
      return [await log(t, room), ((await outcome(back(t, other))) as { code?: number }).code];
    },
  },
  {
    area,
    name: "`await allowReconnection()` in `onLeave()`",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        join: named.join,
        drop: async (r, c) => {
          try {
            await r.allowReconnection(c, 60);
            r.state.order.push("back");
          } catch {
            r.state.order.push("gone");
          }
        },
      };
      const room = await t.create({ hooks });
      const other = await t.join(room, { name: "b" });
      await drop(other);
      await until(() => t.run<boolean>(room, (r) => r.clients.length === 1));
      await t.disturb(room);
      await back(t, other);
      await until(() => t.run<boolean>(room, (r) => r.state.order.length > 0));
      return t.run(room, (r) => [...r.state.order]);
    },
  },
  {
    area,
    name: "a reconnection that is not allowed",
    async play(t) {
      const room = await t.create({ hooks: named });
      const other = await t.join(room, { name: "b" });
      await t.disturb(room, other);
      await drop(other);
      await until(() => t.run<boolean>(room, (r) => r.clients.length === 1));
      return [((await outcome(back(t, other))) as { code?: number }).code, await log(t, room)];
    },
  },
  {
    area,
    name: "`room.leave()`: `onLeave()` with 4000, and at the player",
    async play(t) {
      const room = await t.create({ hooks: named });
      const other = await t.join(room, { name: "b" });
      await t.disturb(room, other);
      const gone = left(other);
      await other.leave();
      await until(async () => (await log(t, room)).length === 3);
      return [await gone, await log(t, room)];
    },
  },
  {
    area,
    name: "`client.leave(code, reason)` and `client.error(code, text)`",
    async play(t) {
      const room = await t.create({ hooks: named });
      const other = await t.join(room, { name: "b" });
      await t.disturb(room, other);
      const failed = new Promise((resolve) => other.onError((code, message) => resolve([code, message])));
      const gone = left(other);
      await t.run(room, (r) => {
        const [, client] = r.clients;
        client.error(4242, "careful");
        client.leave(4321, "enough");
      });
      const both = [await failed, await gone];
      await until(async () => (await log(t, room)).length === 3);
      return [both, await log(t, room)];
    },
  },
  {
    area,
    name: "`client.leave()` without a code: `onDrop()` with 1006, and the player comes back",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        ...named,
        drop: (r, c, code) => {
          r.log.push(`drop ${c.userData} ${code}`);
          r.allowReconnection(c, 60);
        },
        reconnect: (r, c) => void r.log.push(`back ${c.userData}`),
      };
      const room = await t.create({ hooks });
      const other = await t.join(room, { name: "b" });
      await t.disturb(room, other);
      other.reconnection.minUptime = 0;
      const seen: unknown[] = [];
      other.onDrop((code) => seen.push(code));
      await t.run(room, (r) => r.clients[1].leave());
      await until(async () => (await log(t, room)).includes("back b"), 20_000);
      await t.answers(other);
      return [seen, await log(t, room)];
    },
  },
  {
    area,
    name: "`room.disconnect(code)`: everybody hears it, the room is gone",
    async play(t) {
      const room = await t.create({ hooks: named });
      const other = await t.join(room, { name: "b" });
      await t.disturb(room, other);
      const gone = [left(room), left(other)];
      await outcome(t.run(room, (r) => void r.disconnect(4123)));
      const codes = await Promise.all(gone);
      let found: unknown;
      await until(async () => {
        found = await outcome(t.client().joinById(room.roomId));
        return (found as { code?: number }).code === 522;
      });
      return [codes, (found as { code?: number }).code];
    },
  },
  {
    area,
    name: "an asynchronous `onJoin()`; messages of it arrive after the join",
    async play(t) {
      const hooks: Record<string, InRoom> = {
        join: async (r, c) => {
          c.send("early", 1);
          await r.clock.duration(60);
          c.send("early", 2);
        },
      };
      const room = await t.create({ hooks });
      await t.disturb(room);
      const late = await t.client().joinById(room.roomId);
      const told: unknown[] = [];
      late.onMessage("early", (message: unknown) => told.push(message));
      t.add(late);
      await until(() => told.length === 2);
      return told;
    },
  },
  {
    area,
    name: "a seat reserved before, taken afterwards",
    async play(t) {
      const patient: InRoom = (r) => {
        r.seatReservationTimeout = 100;
      };
      const room = await t.create({ hooks: { ...named, create: patient } });
      const response = await fetch(`${t.url}/matchmake/joinById/${room.roomId}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "reserved" }),
      });
      const seat = (await response.json()) as never;
      await t.disturb(room);
      const taken = t.add((await t.client().consumeSeatReservation(seat)) as Room);
      await t.answers(taken);
      return log(t, room);
    },
  },
  {
    area,
    name: "`room.ping()`, `client.http`, the token of `client.auth`",
    async play(t) {
      const client = t.client();
      client.auth.token = "ticket";
      const room = t.add(await client.create("gate"));
      await t.disturb(room);
      const rttMs = await new Promise<number>((resolve) => room.ping(resolve));
      return [rttMs >= 0, await t.run(room, (_r, c) => c.auth)];
    },
  },
];
