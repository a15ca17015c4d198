/** The judge is judged: it accepts what a faultless system leaves, and finds each single thing that goes wrong. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkHistory } from "./check.js";
import type { EventOf, HistoryEvent } from "./events.js";
import { Lineage } from "./lineage.js";
import { printViolation } from "./print.js";
import { type Step, validHistory } from "./valid-history.js";
import type { Violation, ViolationKind } from "./violation.js";

const PLAYERS = 2;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("send" as const), player: fc.nat(PLAYERS - 1) }) },
  { weight: 6, arbitrary: fc.constant<Step>({ do: "hear" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "tick" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "save" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "acknowledge" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "hand off" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "kill" }) },
);
const history = fc
  .array(step, { minLength: 10, maxLength: 120 })
  .map((steps) => validHistory(steps, PLAYERS));
/** Which of the candidates is spoiled. */
const which = fc.nat();

const counted = (events: HistoryEvent[]) => new Lineage("room", events).effects;
const heardIn = (events: HistoryEvent[]) =>
  counted(events).filter((event): event is EventOf<"heard"> => event.type === "heard");

/**
 * Spoils every drawn history in one place and wants to read of it; a history with nothing to spoil says nothing.
 * The proof must convict alone, and no event of it may be superfluous.
 */
function finds(
  kind: ViolationKind,
  spoil: (events: HistoryEvent[], nth: number) => { events: HistoryEvent[]; where: string } | undefined,
): void {
  let spoiled = 0;
  fc.assert(
    fc.property(history, which, (events, nth) => {
      const bad = spoil(events, nth);
      if (bad === undefined) return;
      spoiled++;
      const is = (violation: Violation): boolean => violation.kind === kind && violation.where === bad.where;
      const found = checkHistory(bad.events).filter(is);
      expect(found).not.toEqual([]);
      for (const { evidence } of found) {
        expect(checkHistory(evidence).some(is)).toBe(true);
        for (const superfluous of evidence)
          expect(checkHistory(evidence.filter((event) => event !== superfluous)).some(is)).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
  expect(spoiled).toBeGreaterThan(20);
}

const nthOf = <T>(things: readonly T[], nth: number): T | undefined =>
  things.length === 0 ? undefined : things[nth % things.length];
const without = (events: HistoryEvent[], gone: HistoryEvent) => events.filter((event) => event !== gone);
/** Times are whole numbers in drawn histories, so that there is room between two events. */
const JUST_AFTER_MS = 0.5;

describe("the judge of histories", () => {
  it("accepts whatever a faultless system leaves", () => {
    fc.assert(
      fc.property(history, (events) => {
        expect(checkHistory(events)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("gives the same verdict in whatever order the events are handed in", () => {
    fc.assert(
      fc.property(history, fc.gen(), (events, gen) => {
        const shuffled = gen(fc.shuffledSubarray, events, { minLength: events.length });
        expect(checkHistory(shuffled)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it("finds a message that was lost", () => {
    finds("message lost", (events, nth) => {
      const heard = nthOf(heardIn(events), nth);
      return heard && { events: without(events, heard), where: heard.session };
    });
  });

  it("finds a message that was heard twice, also by two lives of the room", () => {
    finds("message repeated", (events, nth) => {
      const heard = nthOf(heardIn(events), nth);
      const last = counted(events).at(-1);
      if (heard === undefined || last === undefined) return undefined;
      const again = {
        ...heard,
        life: last.life,
        epoch: last.epoch,
        host: last.host,
        position: last.position + 1,
      };
      return { events: [...events, { ...again, atMs: last.atMs + JUST_AFTER_MS }], where: heard.session };
    });
  });

  it("finds a loss and a repetition that leave the count right", () => {
    fc.assert(
      fc.property(history, which, (events, nth) => {
        const all = heardIn(events);
        const lost = nthOf(all, nth);
        const last = counted(events).at(-1);
        const twice = all.find((heard) => heard !== lost && heard.session === lost?.session);
        if (lost === undefined || twice === undefined || last === undefined) return;
        const again = {
          ...twice,
          life: last.life,
          epoch: last.epoch,
          host: last.host,
          position: last.position + 1,
        };
        const kinds = checkHistory([
          ...without(events, lost),
          { ...again, atMs: last.atMs + JUST_AFTER_MS },
        ]).map(({ kind }) => kind);
        expect(kinds).toContain("message lost");
        expect(kinds).toContain("message repeated");
      }),
    );
  });

  it("finds two messages that changed places", () => {
    finds("message out of order", (events, nth) => {
      const all = heardIn(events);
      const first = nthOf(all, nth);
      const second = all.find(
        (heard) => heard.session === first?.session && heard.number === first.number + 1,
      );
      if (first === undefined || second === undefined) return undefined;
      const swapped = events.map((event) =>
        event === first
          ? { ...first, number: second.number }
          : event === second
            ? { ...second, number: first.number }
            : event,
      );
      return { events: swapped, where: first.session };
    });
  });

  it("finds a confirmation of what the next life of the room has not got", () => {
    finds("confirmed, not durable", (events, nth) => {
      const thawed = nthOf(
        events.filter((event): event is EventOf<"thawed"> => event.type === "thawed"),
        nth,
      );
      if (thawed === undefined || !counted(events).some(({ life }) => life === thawed.life)) return undefined;
      const next = heardIn(events).find(({ atMs }) => atMs > thawed.atMs);
      if (next === undefined) return undefined;
      const { session } = next;
      const number = (thawed.last[session] ?? 0) + 1;
      const promise: HistoryEvent = {
        type: "acknowledged",
        session,
        number,
        atMs: thawed.atMs - JUST_AFTER_MS,
      };
      return { events: [...events, promise], where: session };
    });
  });

  it("finds a copy whose state is older than the copy", () => {
    fc.assert(
      fc.property(history, which, (events, nth) => {
        const thawed = nthOf(
          events.filter(
            (event): event is EventOf<"thawed"> =>
              event.type === "thawed" && Object.values(event.last).some((last) => last > 1),
          ),
          nth,
        );
        if (thawed === undefined || !counted(events).some(({ life }) => life === thawed.life)) return;
        const [session, last] = Object.entries(thawed.last).find(([, last]) => last > 1)!;
        const torn = { ...thawed, last: { ...thawed.last, [session]: last - 1 } };
        const later = events.some(
          (event) => event.type === "sent" && event.session === session && event.atMs > thawed.atMs,
        );
        const kinds = checkHistory(events.map((event) => (event === thawed ? torn : event))).map(
          ({ kind }) => kind,
        );
        if (later) expect(kinds).toContain("torn copy");
      }),
    );
  });

  it("finds two lives that write in one epoch", () => {
    finds("two writers in one epoch", (events, nth) => {
      const effect = nthOf(counted(events), nth);
      return (
        effect && {
          events: [...events, { ...effect, life: "stranger", host: 999, atMs: effect.atMs + JUST_AFTER_MS }],
          where: "room",
        }
      );
    });
  });

  it("finds a host that goes on after another has taken the room over", () => {
    finds("two hosts at once", (events) => {
      const effects = counted(events);
      const last = effects.at(-1);
      const earlier = last && effects.filter(({ epoch }) => epoch < last.epoch).at(-1);
      if (last === undefined || earlier === undefined) return undefined;
      const late = { ...earlier, position: earlier.position + 1, atMs: last.atMs + JUST_AFTER_MS };
      return { events: [...events, late], where: "room" };
    });
  });

  it("finds a room that was put back though its host was well", () => {
    finds("rolled back without cause", (events) => {
      const line = new Set(counted(events));
      const undone = events.some(
        (event) => (event.type === "heard" || event.type === "ticked") && !line.has(event),
      );
      if (!undone) return undefined;
      return { events: events.filter(({ type }) => type !== "fault"), where: "room" };
    });
  });

  it("finds a step that was left out", () => {
    finds("tick lost or repeated", (events, nth) => {
      const ticks = counted(events).filter(({ type }) => type === "ticked");
      const gone = nthOf(ticks.slice(1, -1), nth);
      return gone && { events: without(events, gone), where: "room" };
    });
  });

  it("finds a broadcast that did not come, and one that came twice", () => {
    const gots = (events: HistoryEvent[]) =>
      events.filter((event): event is EventOf<"got"> => event.type === "got");
    finds("broadcast lost", (events, nth) => {
      const got = nthOf(gots(events), nth);
      const near = gots(events).filter(({ session, life }) => session === got?.session && life === got.life);
      const inside = got !== undefined && got !== near[0] && got !== near.at(-1);
      return inside ? { events: without(events, got), where: got.session } : undefined;
    });
    finds("broadcast repeated", (events, nth) => {
      const got = nthOf(gots(events), nth);
      return got && { events: [...events, { ...got, atMs: got.atMs + JUST_AFTER_MS }], where: got.session };
    });
  });

  it("lets a player miss what a host had not delivered when it died, and nothing else", () => {
    const effect = { roomId: "r", position: 0 };
    const one = { ...effect, life: "a", epoch: 1, host: 1 };
    const two = { ...effect, life: "b", epoch: 2, host: 2 };
    const history = (fault: HistoryEvent[]): HistoryEvent[] => [
      { type: "ticked", tick: 1, ...one, atMs: 1 },
      { type: "got", roomId: "r", session: "s", life: "a", tick: 1, atMs: 2 },
      { type: "ticked", tick: 2, ...one, position: 1, atMs: 3 },
      ...fault,
      {
        type: "thawed",
        roomId: "r",
        life: "b",
        host: 2,
        from: { life: "a", position: 2, tick: 2 },
        last: {},
        atMs: 5,
      },
      { type: "ticked", tick: 3, ...two, position: 2, atMs: 6 },
      { type: "got", roomId: "r", session: "s", life: "b", tick: 3, atMs: 7 },
    ];
    expect(checkHistory(history([{ type: "fault", what: "killed", hosts: [1], atMs: 4 }]))).toEqual([]);
    const [violation, ...others] = checkHistory(history([]));
    expect(others).toEqual([]);
    expect(violation).toMatchObject({ kind: "broadcast lost", where: "s" });
    expect(printViolation(violation!, history([]))).toBe(
      [
        "broadcast lost: s: after step 1 came step 3, not 2",
        "      0.001 s  s got step 1 of life a",
        "      0.004 s  life b begins in process 2 from life a as it was before number 2 (step 2)",
        "      0.006 s  s got step 3 of life b",
      ].join("\n"),
    );
  });

  it("lets a room be put back that was at a host which died before it did anything there", () => {
    const effect = { roomId: "r", host: 1 };
    const built = { type: "thawed", roomId: "r", last: {} } as const;
    const history = (fault: HistoryEvent[], moved = 2): HistoryEvent[] => [
      { type: "ticked", tick: 1, ...effect, life: "a", epoch: 1, position: 0, atMs: 1 },
      { type: "ticked", tick: 2, ...effect, life: "a", epoch: 1, position: 1, atMs: 2 },
      { ...built, life: "b", host: 2, from: { life: "a", position: moved, tick: moved }, atMs: 3 },
      { ...built, life: "c", host: 3, from: { life: "b", position: moved, tick: moved }, atMs: 4 },
      ...fault,
      { ...built, life: "d", host: 1, from: { life: "a", position: 1, tick: 1 }, atMs: 6 },
      { type: "ticked", tick: 2, ...effect, life: "d", epoch: 4, position: 1, atMs: 7 },
    ];
    const killed = (host: number): HistoryEvent => ({
      type: "fault",
      what: "killed",
      hosts: [host],
      atMs: 5,
    });
    const kinds = (events: HistoryEvent[]) => checkHistory(events).map(({ kind }) => kind);
    for (const host of [2, 3]) expect(kinds(history([killed(host)]))).toEqual([]);
    for (const fault of [[], [killed(4)]])
      expect(kinds(history(fault))).toEqual(["rolled back without cause"]);
    // What it had there was older.
    expect(kinds(history([killed(2)], 1))).toEqual(["rolled back without cause"]);
  });

  it("finds a session that ended though its player had not left", () => {
    const ended: HistoryEvent = { type: "ended", session: "s", code: 1006, atMs: 1 };
    expect(checkHistory([ended])).toMatchObject([{ kind: "session ended", where: "s", evidence: [ended] }]);
  });
});
