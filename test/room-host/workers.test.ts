/** Heavy work of rooms in threads: answered once through moves and deaths, and what goes wrong in a thread stays there. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CentroidRoom } from "@centroid/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PairOfHosts } from "../support/pair-of-hosts.js";

interface CalcState {
  sum: number;
  answered: number;
  ticks: number;
}
type CalcRoom = CentroidRoom<CalcState>;

let pair: PairOfHosts;
let folder: string;
const joined: CalcRoom[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-workers-"));
  pair = await PairOfHosts.start(join(import.meta.dirname, "../fixtures/worker-rooms"), 0, 0, 50);
});
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function calc(
  options: object = {},
): Promise<{ roomId: string; room: CalcRoom; join: () => Promise<CalcRoom> }> {
  const roomId = await pair.create("calc", options);
  const join = async (): Promise<CalcRoom> => {
    const room = (await pair.client().joinById<CalcState>(roomId)) as CalcRoom;
    joined.push(room);
    return room;
  };
  return { roomId, room: await join(), join };
}

const ask = (room: CalcRoom, question: object, type = "square"): Promise<number> =>
  room.request(type as never, question as never, { timeout: 20_000 });

/** Asks one number after the other until it is told to stop. @returns what was answered */
function stream(
  room: CalcRoom,
  signal: AbortSignal,
): Promise<{ asked: number; wrong: number[]; sum: number }> {
  return (async () => {
    const books = { asked: 0, wrong: [] as number[], sum: 0 };
    while (!signal.aborted) {
      const n = ++books.asked;
      // Bytes inside: the transport takes the memory of what it receives back.
      const bytes = new Uint8Array(5_000).fill(n % 256);
      const answer = await ask(room, { n, ms: 4, ...(n < 256 && { bytes }) });
      if (answer !== n * n) books.wrong.push(n);
      books.sum += answer;
    }
    return books;
  })();
}

// A later test ends a host: nobody is to wait for what was there.
afterEach(async () => {
  await Promise.all(joined.splice(0).map((room) => room.leave()));
});

describe("workers of a room", () => {
  it("answer each request once while the room moves to and fro, and report what that costs", async () => {
    const { roomId, room, join } = await calc();
    const players = [room, await join(), await join()];
    const stop = new AbortController();
    const streams = players.map((player) => stream(player, stop.signal));
    const worked = pair.heard(
      ({ roomId: id, change }) =>
        id === roomId && change.event === "work" && change.perSecond > 1 && change.msPerRequest > 0.1,
    );
    for (let move = 0; move < 3; move++) await pair.move(roomId);
    expect((await worked).change).toMatchObject({ msPerRequest: expect.any(Number) });
    stop.abort();
    const books = await Promise.all(streams);
    const { state } = await pair.inspect(roomId);
    expect(books.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(state.answered).toBe(books.reduce((sum, { asked }) => sum + asked, 0));
    expect(state.sum).toBe(books.reduce((sum, book) => sum + book.sum, 0));
    // The field with the handle is that of the new host's own workers.
    expect(await ask(room, {}, "same")).toBe(true);
    expect(pair.notices.filter((line) => line.includes(roomId))).toEqual([]);
  });

  it("do not keep the room from moving: what has no answer yet is worked on at the next host", async () => {
    const { roomId, room } = await calc();
    await ask(room, { n: 1 });
    const answers: number[] = [];
    const asked = [2, 3].map(async (n) => answers.push(await ask(room, { n, ms: 1_500 })));
    await ask(room, {}, "same");
    await pair.move(roomId);
    expect(answers).toEqual([]);
    await Promise.all(asked);
    expect(answers).toEqual([4, 9]);
    expect((await pair.inspect(roomId)).state).toMatchObject({ answered: 3, sum: 14 });
  });

  it("have started at the next host before the room stands still", async () => {
    const log = join(folder, "started");
    const { roomId, room } = await calc({ start: `?slowMs=300&log=${log}` });
    await ask(room, { n: 1 });
    const { phases } = await pair.move(roomId);
    const startedAtMs = Number((await readFile(log, "utf8")).trim().split("\n")[1]);
    const frozenAtMs = phases.find(({ phase }) => phase === "frozen")?.atMs;
    expect(startedAtMs).toBeLessThan(frozenAtMs!);
    expect(await ask(room, { n: 2 })).toBe(4);
  });

  it("keep the room where it is if they do not start at the next host", async () => {
    const needs = join(folder, "model");
    await writeFile(needs, "");
    const { roomId, room } = await calc({ start: `?needs=${needs}` });
    expect(await ask(room, { n: 1 })).toBe(1);
    await rm(needs);
    await expect(pair.move(roomId)).rejects.toMatchObject({
      code: "ROOM_ERROR",
      message: expect.stringMatching(/worker does not start: ENOENT/),
    });
    expect(await ask(room, { n: 2 })).toBe(4);
    expect(pair.owner.get(roomId)?.hostId).toBe("a");
  });

  it("answer after their host's death what it had not answered, saved or not", async () => {
    const { roomId, room } = await calc();
    expect(await ask(room, { n: 1 })).toBe(1);
    const saved = ask(room, { n: 2, ms: 2_500 });
    await ask(room, {}, "same");
    await pair.saved(roomId);
    pair.stopSaving();
    const unsaved = ask(room, { n: 3, ms: 10 });
    await ask(room, {}, "same");
    await pair.lose(roomId, "checkpoint");
    expect(await Promise.all([saved, unsaved])).toEqual([4, 9]);
    expect((await pair.inspect(roomId)).state).toMatchObject({ answered: 3, sum: 14 });
  });
});

describe("what goes wrong in a worker", () => {
  it.each([
    ["exit", "WORK_FAILED", /did not survive this: it ended/],
    ["throw later", "WORK_FAILED", /did not survive this: it crashed: nobody catches this/],
    ["hang", "WORK_TIMEOUT", /no answer within 1000 ms/],
    ["fail", "WORK_FAILED", /^no number that I like$/],
  ])("%s: that player is told, the room and its neighbour go on", async (how, code, message) => {
    const { room } = await calc({ timeoutMs: 1_000 });
    const { room: neighbour } = await calc({ timeoutMs: 1_000 });
    await expect(ask(room, { n: 1, how })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await Promise.all([ask(room, { n: 2 }), ask(neighbour, { n: 3 })])).toEqual([4, 9]);
  });

  it("a missing model is named to the player, and its room goes on without", async () => {
    const { room } = await calc({ start: `?needs=${join(folder, "nowhere")}` });
    for (let i = 0; i < 2; i++)
      await expect(ask(room, { n: 1 })).rejects.toMatchObject({
        code: "WORK_FAILED",
        message: expect.stringMatching(/does not start: ENOENT/),
      });
    expect(await ask(room, {}, "same")).toBe(true);
  });

  it("a player who asks too much at once is refused, and so is what the queue has no room for", async () => {
    const { room, join } = await calc({ timeoutMs: 60_000 });
    await ask(room, { n: 1 });
    const until = `${folder}/go-on`;
    const codeOf = (answer: Promise<number>) => answer.catch(({ code }) => code as string);
    const answers = [4, 5, 6, 7].map((n) => codeOf(ask(room, { n, until })));
    expect(await answers.at(-1)).toBe("RATE_LIMITED");
    const second = await join();
    const more = [1, 2, 3].map((n) => codeOf(ask(second, { n, until }, "run")));
    expect(await more.at(-1)).toBe("WORK_QUEUE_FULL");
    await writeFile(until, "");
    expect(await Promise.all(answers)).toEqual([16, 25, 36, "RATE_LIMITED"]);
    expect(await Promise.all(more)).toEqual([1, 4, "WORK_QUEUE_FULL"]);
  });
});
