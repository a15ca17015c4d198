/** Decisions rest on inputs alone: not on who asked what in between, nor on whether anybody records. */
import {
  DEFAULT_PARAMETERS,
  type HostView,
  PlacementWorld,
  type RecordedLine,
  replay,
  TraceError,
  type TraceLine,
} from "@centroid/placement";
import fc from "fast-check";
import { expect, it } from "vitest";
import { hostView } from "./host-view.js";

const HOSTS = ["h0", "h1", "h2", "h3", "h4", "h5"];
const PLAYERS = ["p0", "p1", "p2", "p3"];
const event = fc.record({
  player: fc.nat(PLAYERS.length - 1),
  host: fc.nat(HOSTS.length - 1),
  rttMs: fc.integer({ min: 5, max: 300 }),
  /** What happens beside a probe. */
  kind: fc.constantFrom("probe", "probe", "probe", "evaluate", "evaluate", "leave", "host-gone"),
  asked: fc.boolean(),
});
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

function play(events: readonly Event[], curious: boolean): { lines: RecordedLine[]; decisions: unknown[] } {
  const lines: RecordedLine[] = [];
  let atMs = 0;
  const world = new PlacementWorld(DEFAULT_PARAMETERS, {
    record: (line) => lines.push(line),
    now: () => atMs,
  });
  const upsertHost = (hostId: string) =>
    world.upsertHost({ hostId, latitude: 0, longitude: 0 }, hostView(hostId));
  HOSTS.forEach(upsertHost);
  const present = new Set(PLAYERS);
  for (const playerId of PLAYERS) world.upsertPlayer({ playerId });
  const room = () => ({ roomId: "r", name: "arena", carrier: "process", playerIds: [...present] });
  const placed = world.place({ ...room(), hostId: undefined }, atMs);
  const decisions: unknown[] = [placed];
  let hostId = placed.toHostId;
  for (const { player, host, rttMs, kind, asked } of events) {
    atMs += 1_000;
    const playerId = PLAYERS[player] ?? "";
    const named = HOSTS[host] ?? "";
    if (curious && asked) for (const id of HOSTS) world.map.estimate(playerId, id);
    // Often enough for what is learned of paths to be taken into use.
    if (kind === "probe")
      for (let ping = 0; ping < 16; ping++) world.addProbe({ playerId, hostId: named, atMs, rttMs });
    else if (kind === "leave") {
      if (!present.delete(playerId)) present.add(playerId);
    } else if (kind === "host-gone") {
      world.removeHost(named);
      upsertHost(named);
    } else {
      const verdict = world.evaluate({ ...room(), hostId }, atMs);
      if (verdict.verdict === "move") hostId = verdict.toHostId;
      decisions.push(verdict);
    }
  }
  return { lines, decisions };
}

it("decides the same whoever asks in between, and replays it", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 100, maxLength: 300 }), (events) => {
      const quiet = play(events, false);
      const curious = play(events, true);
      expect(curious.decisions).toEqual(quiet.decisions);
      const read = curious.lines.map((line) => JSON.parse(JSON.stringify(line)) as TraceLine);
      const { decisions, difference } = replay(read);
      expect(difference).toBeUndefined();
      expect(decisions).toHaveLength(quiet.decisions.length);
    }),
    { numRuns: 30 },
  );
});

it("names the value of a decision that is not as it was recorded, read from a file or not", () => {
  const kinds = ["probe", "evaluate"] as const;
  const events = Array.from({ length: 12 }, (_, i): Event => {
    const host = i % HOSTS.length;
    return { player: 0, host, rttMs: 20 + i, kind: kinds[i % 2] ?? "probe", asked: false };
  });
  const { lines } = play(events, false);
  expect(replay(lines).difference).toBeUndefined();
  const at = lines.findLastIndex(({ type }) => type === "evaluated");
  type Recorded = { regret?: number; extra?: null; contenders: { scoreMs: number }[] };
  const differs = (change: (decision: Recorded) => void): unknown => {
    const read = lines.map((line) => JSON.parse(JSON.stringify(line)) as TraceLine);
    change((read[at] as unknown as { decision: Recorded }).decision);
    return replay(read).difference;
  };
  expect(differs(() => undefined)).toBeUndefined();
  const line = at + 1;
  const scored = differs(({ contenders: [first] }) => {
    if (first !== undefined) first.scoreMs *= 1 + Number.EPSILON;
  });
  expect(scored).toMatchObject({ line, path: "contenders.0.scoreMs" });
  expect(differs((decision) => delete decision.regret)).toMatchObject({ line, path: "regret", replayed: 0 });
  expect(differs((decision) => decision.contenders.pop())).toMatchObject({
    line,
    path: expect.stringMatching(/^contenders\.\d$/),
    recorded: undefined,
  });
  expect(differs((decision) => Object.assign(decision, { extra: null }))).toMatchObject({
    line,
    path: "extra",
    recorded: null,
    replayed: undefined,
  });
});

it("records a host again when anything of it has changed, and only then", () => {
  const lines: RecordedLine[] = [];
  const world = new PlacementWorld(DEFAULT_PARAMETERS, { record: (line) => lines.push(line), now: () => 0 });
  // A live view: whoever records has to look.
  const host = hostView("h", {
    costPerHour: 1,
    roomTypes: ["a"],
    speed: { oneCore: 1, allCores: 4, cores: 4 },
    work: { busyMsPerSecond: 100, playerMs: 3 },
  });
  world.upsertHost({ hostId: "h", latitude: 0, longitude: 0 }, host);
  world.upsertPlayer({ playerId: "p" });
  const room = { roomId: "r", name: "a", carrier: "process", hostId: "h", playerIds: ["p"] };
  const told = (): unknown[] => {
    lines.length = 0;
    world.evaluate(room, 0);
    return lines.flatMap((line) => (line.type === "host-changed" ? [line.host] : []));
  };
  expect(told()).toEqual([]);
  const changes: Partial<HostView>[] = [
    { state: "draining" },
    { capacityRooms: 7 },
    { rooms: 3 },
    { load: 0.5 },
    { carriers: ["vm"] },
    { carriers: ["vm", "process"] },
    { region: "eu" },
    { costPerHour: 2 },
    { roomTypes: ["a", "b"] },
    { speed: { oneCore: 2, allCores: 4, cores: 4 } },
    { speed: { oneCore: 2, allCores: 5, cores: 4 } },
    { speed: { oneCore: 2, allCores: 5, cores: 2 } },
    { speed: undefined },
    { work: { busyMsPerSecond: 50, playerMs: 3 } },
    { work: { busyMsPerSecond: 50, playerMs: 4 } },
    { work: undefined },
  ];
  for (const change of changes) {
    Object.assign(host, change);
    expect(told(), JSON.stringify(change)).toEqual([host]);
    expect(told()).toEqual([]);
  }
  // In place, too: what was told is a copy.
  (host.carriers as string[])[0] = "container";
  expect(told()).toEqual([host]);
});

it("says what is wrong with a trace that cannot be replayed", () => {
  expect(() => replay([{ type: "player-removed", atMs: 0, playerId: "p" }])).toThrow(TraceError);
  const start: TraceLine = { type: "start", atMs: 0, version: 1, parameters: DEFAULT_PARAMETERS };
  expect(() => replay([start, { type: "evaluated", atMs: 0, roomId: "r", decision: {} }])).toThrow(
    /line 2: no room r/,
  );
  expect(() => replay([start, start])).toThrow(/line 2: a second start/);
});
