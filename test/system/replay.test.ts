/** What a live broker recorded gives its decisions again, to the last bit; a record that was changed does not. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay, type TraceLine } from "@centroid/placement";
import type { Receipt } from "@centroid/protocol";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { LiveSystem } from "../support/live-system.js";
import { Cli } from "../support/run-cli.js";

let folder: string;
let file: string;
let lines: TraceLine[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-trace-"));
  file = join(folder, "trace.jsonl");
  await using live = await LiveSystem.start({ traceFile: file });
  const ada = await live.player("ada", "tokyo");
  const room = await ada.create("ledger");
  const bob = await live.player("bob", "tokyo");
  const guest = await bob.joinById(room.roomId);
  // Somebody who is gone before the room is looked at was never there for the placement.
  await vi.waitFor(
    async () => expect((await readFile(file, "utf8")).match(/"joined"/g)).toHaveLength(2),
    30_000,
  );
  await guest.leave();
  // On its way the room may stop at a host that was measured before the one next to its player.
  const arrivesAt = async (hostId: string): Promise<Receipt> => {
    const from = live.events.length;
    await live.emulator.setSite("ada", hostId);
    return await live.event((event) => {
      if (event.type !== "receipt" || event.receipt.roomId !== room.roomId) return undefined;
      return event.receipt.toHostId === hostId ? event.receipt : undefined;
    }, from);
  };
  expect(await arrivesAt("frankfurt")).toMatchObject({ outcome: "completed" });
  // Questions in between must leave no trace in what is decided.
  await live.decisions(room.roomId);
  const asked = await live.post("/whatif", {
    roomId: room.roomId,
    location: { latitude: 35, longitude: 139 },
  });
  expect(asked.status).toBe(200);
  expect(await arrivesAt("virginia")).toMatchObject({ outcome: "completed" });
  await room.leave();
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(): Promise<TraceLine[]> {
  lines ??= (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TraceLine);
  return lines;
}

describe("a trace of players who travel", () => {
  it("has every kind of input, each with its time, and the decisions", async () => {
    const types = new Set((await read()).map(({ type }) => type));
    for (const type of ["start", "host", "host-changed", "player", "probe", "room", "joined"] as const)
      expect(types).toContain(type);
    for (const type of ["left", "moved", "receipt", "placed", "evaluated"] as const)
      expect(types).toContain(type);
    for (const { atMs } of await read()) expect(atMs).toBeGreaterThan(1e12);
  });

  it("replays to equal decisions", async () => {
    const { decisions, difference } = replay(await read());
    expect(difference).toBeUndefined();
    expect(decisions.filter((d) => "verdict" in d && d.verdict === "move").length).toBeGreaterThanOrEqual(2);
  });

  it("is found changed: a decision, and an input that a decision rests on", async () => {
    const trace = await read();
    const at = trace.findLastIndex(
      (line) => line.type === "evaluated" && (line.decision as { verdict: string }).verdict === "move",
    );
    const decided = structuredClone(trace);
    const line = decided[at] as { decision: { toHostId: string } };
    line.decision.toHostId = "elsewhere";
    expect(replay(decided).difference).toMatchObject({
      line: at + 1,
      path: "toHostId",
      recorded: "elsewhere",
    });
    const measured = structuredClone(trace);
    for (const input of measured)
      if (input.type === "probe" && "rttMs" in input.probe) input.probe.rttMs *= 1 + Number.EPSILON;
    expect(replay(measured).difference).toBeDefined();
  });

  it("is replayed by `centroid replay`", async () => {
    await using cli = await Cli.create();
    const { code, out } = await cli.run(["replay", file]);
    expect(out).toMatch(/^[1-9]\d* decisions, all equal\n$/);
    expect(code).toBe(0);

    const changed = join(folder, "changed.jsonl");
    const text = await readFile(file, "utf8");
    await writeFile(changed, text.replaceAll('"verdict":"move"', '"verdict":"stay"'));
    const found = await cli.run(["replay", changed]);
    expect(found.code).toBe(1);
    expect(found.out).toMatch(/verdict was "stay", replayed "move"/);
    const json = await cli.run(["replay", changed, "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ equal: false, difference: { path: "verdict" } });

    await writeFile(changed, text.slice(0, -10));
    const cut = await cli.run(["replay", changed]);
    expect(cut.code).toBe(2);
    expect(cut.err).toMatch(/last line is cut off/);
    await writeFile(changed, text.replace('"version":1', '"version":99'));
    expect((await cli.run(["replay", changed])).err).toMatch(/only version 1/);
  });
});
