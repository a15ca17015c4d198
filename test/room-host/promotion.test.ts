/** A room that moves to the host of its warm standby: what that has is not sent again, and whatever fails, the room goes on. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { MigrateEvent } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const WEIGHTS = 4_000;

/** Entries that come and go, so that what the standby gets has nodes that leave. */
const CROWD = 30;

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start(undefined, 0, 0, 200);
});
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
});

interface Talker {
  room: LedgerRoom;
  shots: number[];
  /** Says no more, and sees to it that all that was said is in the room, once and in order. */
  settle: () => Promise<void>;
}

async function talker(roomId: string): Promise<Talker> {
  const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
  const shots: number[] = [];
  let said = 0;
  room.onMessage("shot", (shot: number) => shots.push(shot));
  const timer = setInterval(() => room.send("say", ++said), 10);
  const entry = () => room.state?.entries?.get(room.sessionId);
  return {
    room,
    shots,
    settle: async () => {
      clearInterval(timer);
      await expect.poll(() => entry()?.count, { timeout: 60_000 }).toBe(said);
      expect(entry()).toMatchObject({ last: said, disorder: 0 });
      expect(shots.filter((shot, at) => at > 0 && shot !== (shots[at - 1] ?? 0) + 1)).toEqual([]);
    },
  };
}
/** Resolves when the room has made so many steps. */
const ticks = async (talkers: readonly Talker[], count: number): Promise<void> => {
  const before = talkers.map(({ shots }) => shots.length);
  await expect
    .poll(() => talkers.every(({ shots }, at) => shots.length > (before[at] ?? 0) + count), {
      timeout: 60_000,
    })
    .toBe(true);
};
/** What a broker does about a room that may have been frozen when its destination ended: there is no other owner. */
const goesOn = async (roomId: string, migrationId: string): Promise<void> => {
  await pair.carriers.a.handle({ method: "abortMigration", roomId, migrationId });
  const asked = { method: "migrationStatus", roomId, migrationId } as const;
  expect(await pair.carriers.a.handle(asked)).toMatchObject({ role: "owner" });
};
const moved = (room: LedgerRoom): Promise<MigrateEvent> =>
  new Promise((resolve) => void room.onMigrate(resolve));

it("is not copied again, and its players go over on the connections that they have (STBY-4, MSG-4, MSG-6)", async () => {
  const roomId = await pair.create("ledger", { weights: WEIGHTS, crowd: CROWD });
  const talkers = [await talker(roomId), await talker(roomId)];
  const first = talkers.map(({ room }) => moved(room));
  const whole = await pair.move(roomId);
  expect(whole.promoted).toBeUndefined();
  await Promise.all(first);
  // From b to a and the standby that it has there.
  const [report] = await pair.carriers.a.reports();
  expect(report).toBeUndefined();
  let address = "";
  await using proxy = await CuttableProxy.start(() => address);
  pair.via = (given, hostId) => {
    if (hostId !== "a") return given;
    address = given;
    return proxy.address;
  };
  pair.between = (given) => given;
  await pair.keepStandby(roomId);
  // Who gets there only when the move has begun is sent away, and dials the destination instead.
  await expect.poll(() => proxy.answered, { timeout: 60_000 }).toBe(2);
  const second = talkers.map(({ room }) => moved(room));
  const { promoted, bytes, stateHashBefore, stateHashAfter, phases } = await pair.move(roomId, {
    // The room is built there by now, and what it is fed with while each entry is replaced is put in place.
    meanwhile: () => ticks(talkers, CROWD),
  });
  expect([promoted, stateHashAfter]).toEqual([true, stateHashBefore]);
  expect(phases.map(({ phase }) => phase)).not.toContain("copying");
  expect(bytes).toBeLessThan(whole.bytes / 2);
  for (const event of await Promise.all(second))
    expect(event).toMatchObject({ restored: false, lost: 0, duplicated: 0, to: { hostId: "a" } });
  for (const { settle } of talkers) await settle();
  expect(proxy.accepted).toBe(2);
  const [one] = talkers;
  expect(one!.room.state.weights).toHaveLength(WEIGHTS);
  pair.via = (given) => given;
  for (const { room } of talkers) await room.leave();
});

it("is copied as ever if the standby has ended meanwhile, and goes on if the destination has called it off (OWN-4)", async () => {
  const roomId = await pair.create("ledger");
  const { room, settle } = await talker(roomId);
  await pair.keepStandby(roomId);
  const calledOff = pair.move(roomId, {
    migrationId: "off",
    meanwhile: () => pair.carriers.b.handle({ method: "abortMigration", roomId, migrationId: "off" }),
  });
  await expect(calledOff).rejects.toMatchObject({ code: "HOST_LOST" });
  await goesOn(roomId, "off");
  // What was built there ended with it.
  expect(await pair.carriers.b.reports()).toEqual([]);
  await pair.keepStandby(roomId);
  const ended = { method: "endStandby", roomId, standbyId: `standby-${roomId}`, carrier: "process" } as const;
  const event = moved(room);
  const transfer = await pair.move(roomId, {
    meanwhile: async () => {
      await pair.carriers.b.handle(ended);
      await pair.heard(({ roomId: of, change }) => of === roomId && change.event === "standby-broken");
    },
  });
  expect(transfer.promoted).toBeUndefined();
  expect(await event).toMatchObject({ lost: 0, duplicated: 0, to: { hostId: "b" } });
  await settle();
  await room.leave();
});

it("whoever orders a standby hears at once that it was given up before it had the room", async () => {
  const roomId = await pair.create("ledger");
  const silent = createServer((socket) => socket.on("error", () => undefined));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const { hostId } = pair.owner.get(roomId)!;
  const standbyId = "never";
  const ordered = pair.carriers[hostId].handle({
    ...{ method: "replicate", standbyId, roomId },
    destination: {
      ...{ hostId: "c", name: "C", latitude: 0, longitude: 0, processId: "c-1", addresses: {} },
      ...{ transferUrl: `ws://127.0.0.1:${port}/standby/${roomId}`, ticket: "t" },
    },
  });
  const answered = expect(ordered).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
  await pair.carriers[hostId].handle({ method: "setAckPolicy", standbyId, roomId, where: "none" });
  await answered;
  silent.close();
});

it("stays where it is if the standby's process is dead or says nothing, and moves to the next one (OWN-3)", async () => {
  const roomId = await pair.create("ledger");
  const { room, settle } = await talker(roomId);
  // Its player cannot get there: the room waits for it, and is not frozen when the time is over.
  pair.via = (given, hostId) => (hostId === "b" ? "127.0.0.1:1" : given);
  pair.between = (given) => given;
  await pair.keepStandby(roomId);
  const stopped = (): Promise<void> => {
    process.kill(pair.carriers.b.pid!, "SIGSTOP");
    return Promise.resolve();
  };
  const silent = pair.move(roomId, { deadlineMs: 300, meanwhile: stopped });
  await expect(silent).rejects.toMatchObject({ code: "MIGRATION_TIMEOUT" });
  process.kill(pair.carriers.b.pid!, "SIGCONT");
  pair.via = (given) => given;
  const asked = { method: "migrationStatus", roomId, migrationId: "m" } as const;
  expect(await pair.carriers.a.handle(asked)).toMatchObject({ role: "owner" });
  // What was built there ends with the line.
  await expect.poll(() => pair.carriers.b.reports(), { timeout: 60_000 }).toEqual([]);
  await pair.keepStandby(roomId);
  const dead = pair.move(roomId, {
    migrationId: "dead",
    meanwhile: async () => process.kill(pair.carriers.b.pid!, "SIGKILL"),
  });
  await expect(dead).rejects.toMatchObject({ code: "HOST_LOST" });
  await goesOn(roomId, "dead");
  await expect.poll(() => pair.carriers.b.pid, { timeout: 60_000 }).toBeUndefined();
  await pair.keepStandby(roomId);
  const event = moved(room);
  expect(await pair.move(roomId)).toMatchObject({ promoted: true });
  expect(await event).toMatchObject({ lost: 0, duplicated: 0, to: { hostId: "b" } });
  await settle();
  await room.leave();
});
