/** What a broker's answers are worth, and when a host is given up for good: parts by themselves, on a clock of the test's own. */
import { CentroidError } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { GiveAways, type HeardAnswer } from "../../server/broker/dist/hosts/give-aways.js";
import { HostAnswers } from "../../server/broker/dist/hosts/host-answers.js";
import { HostRegistry } from "../../server/broker/dist/hosts/host-registry.js";
import { ManualClock } from "./support/manual-clock.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} } as never;
const LEASE_MS = 1_280;
const GIVEN = { roomId: "room-1", epoch: 2 };
const RECORD = { roomId: "room-1", hostId: "b", epoch: 2 } as never;
/** Whatever was begun and needs nobody has been done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A broker that host "a" has said hello to, with all that it says to it in order. */
function broker() {
  const clock = new ManualClock();
  const hosts = new HostRegistry();
  const said: string[] = [];
  const reads: ((records: readonly never[] | Error) => void)[] = [];
  const pings: (() => void)[] = [];
  const state = { term: 1, countsForMs: 2_000, lets: true as boolean | "never" };
  const answers = new HostAnswers({
    hosts,
    store: {
      records: () =>
        new Promise((resolve, reject) =>
          reads.push((records) => (records instanceof Error ? reject(records) : resolve([...records]))),
        ),
    },
    cluster: { term: () => state.term, countsForMs: () => state.countsForMs },
    shared: true,
    onRecord: (_host, { roomId }) => said.push(`let go of ${roomId}`),
    onLeft: (_host, roomId, epoch) => said.push(`let go of ${roomId} below ${epoch}`),
    clock,
    logger,
    leaseMs: LEASE_MS,
  });
  const peer = {
    alive: () => new Promise<boolean>((resolve) => pings.push(() => resolve(true))),
    request: async ({ roomId, epoch }: { roomId: string; epoch: number }) => {
      said.push(`let go of ${roomId} at ${epoch}`);
      if (state.lets === true) return {};
      throw new CentroidError("HOST_LOST", "no answer");
    },
    close: () => said.push("closed"),
  };
  hosts.hello({ hostId: "a", carriers: ["process"] } as never, peer as never, 0);
  answers.greeted("a");
  return {
    answers,
    clock,
    hosts,
    said,
    state,
    /** The host says something, and is answered now or later. */
    beat: () => answers.heartbeat("a", (forAll) => said.push(forAll ? "for all" : "for one")),
    /** It answers, and then the store does. */
    async looked(records: readonly never[] | Error = []): Promise<void> {
      await settled();
      pings.shift()?.();
      await settled();
      reads.shift()?.(records);
      await settled();
    },
    reads,
    pings,
  };
}

describe("a broker's answer (OWN-12)", () => {
  it("waits until it was read who has the host's rooms, behind the order to let go", async () => {
    const { beat, looked, said } = broker();
    beat();
    beat();
    await settled();
    expect(said).toEqual([]);
    await looked([RECORD]);
    expect(said).toEqual(["let go of room-1", "for all", "for all"]);
    beat();
    expect(said.at(-1)).toBe("for all");
  });

  it("counts for this broker only while that cannot be read, and at once while this broker does not count itself", async () => {
    const { beat, looked, said, clock, state } = broker();
    beat();
    await looked(new Error("away"));
    expect(said).toEqual([]);
    clock.pass(500);
    expect(said).toEqual(["for one"]);
    state.countsForMs = 0;
    beat();
    expect(said).toEqual(["for one", "for one"]);
    state.countsForMs = 2_000;
    beat();
    await looked();
    await looked();
    expect(said.at(-1)).toBe("for all");
  });

  it("is worth nothing to others again once this broker may not have counted for a while", async () => {
    const { beat, looked, said, state } = broker();
    await looked();
    beat();
    expect(said).toEqual(["for all"]);
    state.term = 2;
    beat();
    expect(said).toEqual(["for all"]);
    await looked([RECORD]);
    expect(said).toEqual(["for all", "let go of room-1", "for all"]);
  });

  it("is not given any more once it was promised, however long the store is away", async () => {
    const { answers, beat, looked, said, clock } = broker();
    await looked();
    beat();
    clock.pass(LEASE_MS * 1.05 + 1);
    expect(await answers.withdraws("a", GIVEN)).toBe(true);
    beat();
    await looked(new Error("away"));
    clock.pass(60_000);
    expect(said).toEqual(["for all"]);
    beat();
    await looked([RECORD]);
    expect(said).toEqual(["for all", "let go of room-1", "let go of room-1 below 2", "for all", "for all"]);
  });

  it("is not given by what was read before it was promised not to be", async () => {
    const { answers, beat, looked, said, clock, reads, pings } = broker();
    clock.pass(LEASE_MS * 1.05 + 1);
    beat();
    await settled();
    pings.shift()?.();
    await settled();
    expect(await answers.withdraws("a", GIVEN)).toBe(true);
    reads.shift()?.([]);
    await settled();
    expect(said).toEqual([]);
    await looked([RECORD]);
    expect(said).toEqual(["let go of room-1", "let go of room-1 below 2", "for all"]);
  });

  it("lets a room run until the host has let go of it, or the lease that it gave is over", async () => {
    const { answers, beat, looked, said, clock, state, hosts } = broker();
    await looked();
    beat();
    expect(await answers.withdraws("a", GIVEN)).toBe(true);
    expect(said).toEqual(["for all", "let go of room-1 at 2"]);
    state.lets = "never";
    beat();
    // It cannot be told, and has to say hello again.
    expect(await answers.withdraws("a", GIVEN)).toBe(false);
    expect(said.at(-1)).toBe("closed");
    hosts.require("a").peer = undefined;
    clock.pass(LEASE_MS);
    expect(await answers.withdraws("a", GIVEN)).toBe(false);
    clock.pass(LEASE_MS * 0.05 + 1);
    expect(await answers.withdraws("a", GIVEN)).toBe(true);
  });
});

describe("whoever gives a room away (OWN-12)", () => {
  function giver(others: string[]) {
    const clock = new ManualClock();
    const state = { others, away: false, asked: 0, askId: "" };
    const giveAways = new GiveAways({
      cluster: {
        publish: (kind, body) => {
          const { given } = body as { given: { askId: string } };
          expect([kind, body]).toEqual([
            "host-asked",
            { hostId: "a", given: { ...GIVEN, askId: given.askId } },
          ]);
          state.asked++;
          state.askId = given.askId;
        },
        othersNow: async () => {
          if (state.away) throw new Error("away");
          return state.others.map((brokerId) => ({ brokerId, url: "" }));
        },
      },
      clock,
      newId: () => `ask-${state.asked}`,
      logger,
      leaseMs: LEASE_MS,
    });
    let goesOn = true;
    let done = false;
    void giveAways
      .withdraw("a", GIVEN, () => goesOn)
      .then(() => {
        done = true;
      });
    return {
      state,
      hears: (brokerId: string, answer: Omit<HeardAnswer, "hostId">) =>
        giveAways.heard(brokerId, { hostId: "a", ...answer }),
      stop: () => {
        goesOn = false;
      },
      async isDone(afterMs = 0): Promise<boolean> {
        await settled();
        for (let ms = 0; ms < afterMs; ms += 100) {
          clock.pass(100);
          await settled();
        }
        return done;
      },
    };
  }

  it("need not wait where there is no other broker", async () => {
    expect(await giver([]).isDone()).toBe(true);
  });

  it("waits until every other broker has promised, asks again, and counts none that is over", async () => {
    const { state, hears, isDone } = giver(["b", "c", "d"]);
    expect(await isDone()).toBe(false);
    hears("b", { promises: true, withdrawn: state.askId });
    // It still hears the host, and an answer to somebody else says nothing.
    hears("c", { promises: true, agoMs: 10 });
    hears("c", { promises: true, withdrawn: "another" });
    expect(await isDone(1_000)).toBe(false);
    expect(state.asked).toBeGreaterThan(5);
    hears("c", { promises: true, withdrawn: state.askId });
    expect(await isDone(500)).toBe(false);
    state.others = ["b", "c"];
    expect(await isDone(100)).toBe(true);
  });

  it("is done at once with the last answer", async () => {
    const { state, hears, isDone } = giver(["b"]);
    await isDone();
    hears("b", { promises: true, withdrawn: state.askId });
    expect(await isDone()).toBe(true);
  });

  it("believes a broker of an earlier version as that was", async () => {
    const { hears, isDone } = giver(["b"]);
    await isDone();
    hears("b", { agoMs: 100 });
    expect(await isDone(200)).toBe(false);
    hears("b", { agoMs: 1_600 });
    expect(await isDone()).toBe(true);
  });

  it("waits for a store that is away, and for nothing once the room is back", async () => {
    const { state, isDone, stop } = giver(["b"]);
    await isDone();
    state.away = true;
    expect(await isDone(1_000)).toBe(false);
    stop();
    expect(await isDone(100)).toBe(true);
  });
});
