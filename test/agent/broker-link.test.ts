/** What an agent tells a broker that is just getting to know it. */
import { type RoomEvent, shardOf } from "@centroid/protocol";
import { describe, expect, it, vi } from "vitest";
import { BrokerLink, type BrokerLinkOptions } from "../../infra/agent/dist/broker-link.js";
import { FakeBroker, TOKEN } from "./fake-broker.js";

it("nothing that happens between hello and welcome is left out, or told before the welcome", async () => {
  await using server = await FakeBroker.listen();
  let finish: ((hello: never) => void) | undefined;
  let begin: (() => void) | undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  await using link = linkTo(server, () => {
    begin?.();
    return new Promise<never>((resolve) => {
      finish = resolve;
    });
  });
  link.connect();
  await server.accept();
  await begun;
  // Which of both it is in is the room host's to know.
  link.room(event("early", { event: "joined", sessionId: "ann" }));
  finish?.({ type: "hello" } as never);
  expect(await server.next()).toEqual({ type: "hello" });
  link.room(event("moved-in", { event: "left", sessionId: "ann" }));
  server.welcome();
  const told: unknown[] = [];
  while (told.length < 2) {
    const message = await server.next();
    if (message.type === "room") told.push(message.roomId);
  }
  expect(told).toEqual(["early", "moved-in"]);
});

it("comes again when a room host did not say what it runs", async () => {
  await using server = await FakeBroker.listen();
  let asked = 0;
  await using link = linkTo(server, async () => {
    if (++asked === 1) throw new Error("the room host has not answered");
    return { type: "hello" } as never;
  });
  link.connect();
  await server.accept();
  await server.accept();
  expect(await server.next()).toEqual({ type: "hello" });
  expect(asked).toBe(2);
});

it("answers no order of a connection that broke on the next one, where its number is another's", async () => {
  await using server = await FakeBroker.listen();
  let finish = (): void => undefined;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const handle = async (): Promise<object> => {
    begin();
    await done;
    return {};
  };
  let hellos = 0;
  await using link = linkTo(
    server,
    async () => {
      if (++hellos === 2) finish();
      // Whatever follows from that has been sent before the hello.
      await new Promise(setImmediate);
      return { type: "hello" } as never;
    },
    { handle },
  );
  link.connect();
  await server.accept();
  await server.next();
  server.welcome();
  await server.said(({ type }) => type === "heartbeat");
  server.begin({ method: "disposeRoom", roomId: "room", epoch: 1 });
  await begun;
  server.drop();
  await server.accept();
  expect(await server.next()).toEqual({ type: "hello" });
});

it("what can only be told once outlives a connection that breaks before its welcome", async () => {
  await using server = await FakeBroker.listen();
  await using met = await meet(server);
  const { link } = met;
  link.room(event("room", { event: "joined", sessionId: "ann" }));
  link.room(event("room", { event: "standby-orphaned", standbyId: "s" }));
  server.drop();
  await server.accept();
  await server.next();
  server.welcome();
  let message = await server.next();
  while (message.type !== "room") message = await server.next();
  expect(message.change).toEqual({ event: "standby-orphaned", standbyId: "s" });
});

it("a broker that was away hears the last of each kind, of the rooms and players that are still here", async () => {
  const server = await FakeBroker.listen();
  const { port } = new URL(server.url);
  await using met = await meet(server);
  const { link } = met;
  await server[Symbol.asyncDispose]();
  const owned = (migrationId: string): RoomEvent => ({ event: "owned", migrationId });
  const report = (migrationId: string, sessionId: string): RoomEvent => ({
    ...{ event: "report", migrationId, sessionId, gapMs: 1, patchRateMs: 50, lost: 0, duplicated: 0 },
  });
  const broken = (standbyId: string): RoomEvent => ({ event: "standby-broken", standbyId });
  await expect.poll(() => link.state.state).toBe("away");
  for (const migrationId of ["first", "second"]) {
    link.room(event("room", owned(migrationId)));
    for (const sessionId of ["ann", "bob"]) link.room(event("room", report(migrationId, sessionId)));
    link.room(event("room", broken(migrationId)));
  }
  link.room(event("room", { event: "left", sessionId: "bob" }));
  for (const roomId of ["ended", "lost", "gone"]) link.room(event(roomId, owned("first")));
  link.room(event("ended", { event: "disposed" }));
  link.room(event("lost", { event: "lost", error: { code: "INTERNAL", message: "ended" } }));
  link.forget("gone");
  await using again = await FakeBroker.listen(Number(port));
  await again.accept();
  await again.said(({ type }) => type === "hello");
  again.welcome();
  await expect.poll(() => link.state.state).toBe("connected");
  const last = event("room", { event: "diverged", sessionId: "ann" });
  link.room(last);
  const told: unknown[] = [];
  while (!told.some((message) => JSON.stringify(message) === JSON.stringify(last)))
    told.push(await again.said(({ type }) => type === "room"));
  expect(told).toEqual([
    event("room", owned("second")),
    event("room", broken("second")),
    event("room", report("second", "ann")),
    last,
  ]);
});

it("says hello again rather than keep all that happens while a broker does not welcome it", async () => {
  await using server = await FakeBroker.listen();
  await using met = await meet(server);
  const again = server.accept();
  for (let count = 0; count <= 10_000; count++)
    met.link.room(event("room", { event: "diverged", sessionId: "ann" }));
  await again;
  expect(await server.next()).toEqual({ type: "hello" });
});

it("tells who comes and goes where the broker wants that, everywhere until it has said so (BRK-6)", async () => {
  await using server = await FakeBroker.listen();
  await using met = await meet(server);
  const { link, gained } = met;
  const shards = [shardOf("ours")];
  const tracked = (): boolean[] => ["ours", "theirs"].map((roomId) => link.tracks(roomId));
  expect(tracked()).toEqual([true, true]);
  // One of an earlier version says nothing of it.
  server.welcome();
  server.decides(shards);
  await met.hasHeardAll();
  expect(tracked()).toEqual([true, true]);
  server.welcome({ counts: true, shards });
  await met.hasHeardAll();
  expect(tracked()).toEqual([true, false]);
  server.decides([...shards, shardOf("theirs")]);
  server.decides(shards);
  server.decides(shards, true);
  await met.hasHeardAll();
  expect(tracked()).toEqual([true, true]);
  expect(gained).toEqual([[], ["theirs"], [], ["theirs"]]);
  server.decides(shards);
  await met.hasHeardAll();
  expect(tracked()).toEqual([true, false]);
  // Whatever happens from the next hello to its welcome may be a deciding broker's to know.
  server.drop();
  await expect.poll(tracked).toEqual([true, true]);
});

it("a heartbeat that would be due soon goes along with what is sent anyway", async () => {
  await using server = await FakeBroker.listen();
  await using met = await meet(server);
  const { link } = met;
  let aheadMs = 0;
  const machine = performance.now.bind(performance);
  const clock = vi.spyOn(performance, "now").mockImplementation(() => machine() + aheadMs);
  server.welcome({ heartbeatIntervalMs: 60_000, leaseMs: 60_000 });
  await met.hasHeardAll();
  const say = (sessionId: string): void => link.room(event("ours", { event: "left", sessionId }));
  say("ann");
  aheadMs = 45_000;
  say("ben");
  say("cid");
  const types: string[] = [];
  while (types.filter((type) => type === "room").length < 3) types.push((await server.next()).type);
  clock.mockRestore();
  expect(types).toEqual(["heartbeat", "room", "room", "heartbeat", "room"]);
});

describe("a lease (OWN-9)", () => {
  it("counts from when the heartbeat was sent that is answered, however late that is", async () => {
    await using server = await FakeBroker.listen();
    await using met = await meet(server);
    const { link } = met;
    server.welcome({ heartbeatIntervalMs: 20, leaseMs: 1_000 });
    for (let beats = 0; beats < 10; ) if ((await server.next()).type === "heartbeat") beats++;
    // Ten have been sent since; this is the answer to the first.
    server.heard();
    await met.hasHeardAll();
    expect(link.leaseLeftMs(performance.now())).toBeLessThan(1_000 - 150);
  });

  it("that is over is renewed by the first answer, not by the welcome: what to let go of comes between", async () => {
    await using server = await FakeBroker.listen();
    await using met = await meet(server);
    const { link } = met;
    server.welcome();
    await met.hasHeardAll();
    expect(link.leaseLeftMs(performance.now())).toBe(0);
    server.heard();
    await met.hasHeardAll();
    expect(link.leaseLeftMs(performance.now())).toBeGreaterThan(0);
  });

  it("is spoken of at once: when it is renewed, cut short, or left by a broker that has ended", async () => {
    const server = await FakeBroker.listen();
    await using met = await meet(server);
    const { terms } = met;
    server.welcome({ heartbeatIntervalMs: 60_000, leaseMs: 1_000 });
    server.heard();
    server.goodbye(60_000);
    await met.hasHeardAll();
    const [renewed, left] = terms.slice(-2).map(({ leaseMs }) => leaseMs);
    expect(renewed).toBeGreaterThan(0);
    expect(renewed).toBeLessThanOrEqual(1_000);
    expect(left).toBeGreaterThan(1_000);
    server.drop();
    await server.accept();
    await server.next();
    expect(terms.at(-1)?.leaseMs).toBeLessThanOrEqual(1_000);
    await server[Symbol.asyncDispose]();
    await expect.poll(() => terms.at(-1)?.absenceMs, { timeout: 30_000 }).toBeGreaterThan(0);
  });

  it("goes on when its connection breaks, which is no proof that the broker has ended; a port that refuses is", async () => {
    const server = await FakeBroker.listen();
    await using met = await meet(server);
    const { link } = met;
    server.welcome({ heartbeatIntervalMs: 60_000, leaseMs: 60_000 });
    await server.next();
    server.heard();
    server.drop();
    await server.accept();
    await server.next();
    expect(link.leaseLeftMs(performance.now())).toBeGreaterThan(0);
    expect(link.absenceLeftMs(performance.now())).toBe(0);
    await server[Symbol.asyncDispose]();
    await expect.poll(() => link.absenceLeftMs(performance.now())).toBeGreaterThan(0);
  });
});

it("a broker that is cut off from the others answers for itself only (OWN-12)", async () => {
  await using server = await FakeBroker.listen();
  await using met = await meet(server);
  const { link } = met;
  server.welcome({ heartbeatIntervalMs: 60_000, leaseMs: 60_000 });
  server.heard(0);
  await met.hasHeardAll();
  expect(link.leaseLeftMs(performance.now())).toBeGreaterThan(0);
  expect(link.vouchedLeftMs(performance.now())).toBe(0);
});

describe("a broker that says goodbye (OWN-10)", () => {
  it("leaves a lease from the last heartbeat that it answered, which the next hello cuts short", async () => {
    await using server = await FakeBroker.listen();
    await using met = await meet(server);
    const { link } = met;
    server.welcome({ heartbeatIntervalMs: 20, leaseMs: 1_000 });
    for (let beats = 0; beats < 10; ) if ((await server.next()).type === "heartbeat") beats++;
    server.heard();
    server.goodbye(30_000);
    await met.hasHeardAll();
    const leftMs = link.leaseLeftMs(performance.now());
    expect(leftMs).toBeLessThan(30_000 - 150);
    expect(leftMs).toBeGreaterThan(1_000);
    server.drop();
    await server.accept();
    await server.next();
    expect(link.leaseLeftMs(performance.now())).toBeLessThanOrEqual(1_000);
  });

  it("and that a port refused counts only until the next hello", async () => {
    const server = await FakeBroker.listen();
    const { port } = new URL(server.url);
    await using met = await meet(server);
    const { link } = met;
    server.welcome({ heartbeatIntervalMs: 60_000, leaseMs: 60_000 });
    await server.next();
    await server[Symbol.asyncDispose]();
    await expect.poll(() => link.absenceLeftMs(performance.now())).toBeGreaterThan(0);
    await using again = await FakeBroker.listen(Number(port));
    await again.accept();
    await again.next();
    expect(link.absenceLeftMs(performance.now())).toBe(0);
  });
});

const event = (roomId: string, change: RoomEvent) => ({ type: "room", roomId, epoch: 1, change }) as const;

interface Met extends AsyncDisposable {
  link: BrokerLink;
  /** At each change: which of two rooms it wants to know about and did not before. */
  gained: string[][];
  /** What it had said of how long rooms may run at each time when that has changed. */
  terms: { leaseMs: number; absenceMs: number }[];
  /** Resolves when the link has taken in whatever the broker has said so far. */
  hasHeardAll: () => Promise<void>;
}

/** A link that has said hello to this broker, and was not welcomed yet. */
async function meet(server: FakeBroker): Promise<Met> {
  let heard = (): void => undefined;
  const gained: string[][] = [];
  const terms: Met["terms"] = [];
  const link: BrokerLink = linkTo(server, () => Promise.resolve({ type: "hello" } as never), {
    onTerms: () => {
      const now = performance.now();
      terms.push({ leaseMs: link.leaseLeftMs(now), absenceMs: link.absenceLeftMs(now) });
    },
    onPublished: () => heard(),
    onTracks: (of) => void gained.push(["ours", "theirs"].filter(of)),
  });
  link.connect();
  await server.accept();
  await server.next();
  return {
    link,
    gained,
    terms,
    hasHeardAll: () =>
      new Promise((resolve) => {
        heard = resolve;
        server.publish();
      }),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  };
}

function linkTo(
  { url }: FakeBroker,
  hello: () => Promise<never>,
  more: Partial<Pick<BrokerLinkOptions, "handle" | "onPublished" | "onTracks" | "onTerms">> = {},
): BrokerLink {
  return new BrokerLink({
    url,
    hello,
    token: TOKEN,
    hostId: "host",
    heartbeat: () => ({ type: "heartbeat", load: 0, rssBytes: 1 }),
    handle: () => Promise.reject(new Error("nothing is asked here")),
    onCheckpointed: () => undefined,
    onUnsaved: () => undefined,
    onPublished: () => undefined,
    onMeasure: () => undefined,
    onTracks: () => undefined,
    onDecides: () => undefined,
    onEvacuating: () => undefined,
    onTerms: () => undefined,
    notice: () => undefined,
    onState: () => undefined,
    ...more,
  });
}
