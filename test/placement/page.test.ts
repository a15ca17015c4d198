/** The simulation page stands alone, holds what was simulated, and plays the engine again. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  DEFAULT_SIMULATION,
  engineSteps,
  movesOf,
  type PageData,
  pathCost,
  readRttMatrix,
  SimulationPage,
  SimulationStage,
  simulate,
} from "@centroid/placement";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";

/** Nodes on a line, 10 ms apart, beginning with another one in each slice. */
const line = (nodes: number, shift = 0) =>
  readRttMatrix(
    Array.from({ length: nodes }, (_, i) =>
      Array.from(
        { length: nodes },
        (_, j) => 10 * Math.abs(((i + shift) % nodes) - ((j + shift) % nodes)),
      ).join(","),
    ).join("\n"),
  );
const SLICES = [line(30), line(30, 13)].map((slice, i) => ({ ...slice, name: `morning-${i}.csv` }));
const OPTIONS = { hosts: 6, rooms: 5, steps: 60, migrationCost: 100, noise: 0, seed: 3 };

const page = new SimulationPage();
const report = simulate(SLICES, OPTIONS, {}, page.add);
let folder: string;
let file: string;
let html: string;
beforeAll(async () => {
  const script = await readFile(fileURLToPath(import.meta.resolve("@centroid/placement/page.js")), "utf8");
  html = page.render(report, SLICES, script);
  folder = await mkdtemp(join(tmpdir(), "simulation-"));
  file = join(folder, "page.html");
  await writeFile(file, html);
});
afterAll(() => rm(folder, { recursive: true }));

const data = (): PageData =>
  JSON.parse(/<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "");

describe("the simulation page", () => {
  it("holds every policy's way and every move with its reason, over all slices", () => {
    const { policies, rooms, slices } = data();
    expect(policies).toEqual(report.policies);
    expect(slices.map(({ name, rttMs }) => [name, rttMs])).toEqual(
      SLICES.map(({ name, rttMs }) => [name, [...rttMs]]),
    );
    expect(rooms).toHaveLength(OPTIONS.rooms);
    const own = report.policies.find(({ policy }) => policy === "centroid");
    const moves = rooms.flatMap((room) => room.moves);
    expect(moves.length).toBe((own?.migrations ?? 0) * OPTIONS.rooms);
    expect(moves.length).toBeGreaterThan(0);
    for (const room of rooms) {
      const turns = room.paths.centroid?.slice(1).map(([step]) => step);
      expect(turns).toEqual(room.moves.map(({ step }) => step));
      for (const { text } of room.moves) expect(text).toMatch(/regret|cap|load/);
    }
    // The second half of every room is played on the second slice: the optimum of a room that stays moves there.
    const regional = rooms.find(({ scenario }) => scenario === "regional");
    expect(regional?.paths.oracle?.map(([step]) => step)).toEqual([0, OPTIONS.steps / 2]);
  });

  it("draws its map so that distances are round trips", () => {
    const { places } = data();
    const one = new SimulationPage().render(
      { ...report, parameters: { ...report.parameters, slices: 1 } },
      SLICES.slice(0, 1),
      "",
    );
    const onLine = (JSON.parse(/id="data">([\s\S]*?)<\/script>/.exec(one)?.[1] ?? "") as PageData).places;
    expect(places).toHaveLength(60);
    for (const [i, j] of [
      [0, 29],
      [3, 12],
      [20, 24],
    ] as const) {
      const apart = Math.hypot(
        (onLine[2 * i] ?? 0) - (onLine[2 * j] ?? 0),
        (onLine[2 * i + 1] ?? 0) - (onLine[2 * j + 1] ?? 0),
      );
      expect(apart / (10 * (j - i))).toBeGreaterThan(0.9);
      expect(apart / (10 * (j - i))).toBeLessThan(1.1);
    }
  });
});

describe.skipIf(!hasChromium)("in a browser, the simulation page", () => {
  let browser: Browser;
  let view: Page;
  const requests: string[] = [];
  const errors: string[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
    view = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    view.on("request", (request) => requests.push(request.url()));
    view.on("websocket", (socket) => requests.push(socket.url()));
    view.on("pageerror", (error) => errors.push(error.message));
    view.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await view.goto(pathToFileURL(file).href);
  }, 60_000);
  afterAll(() => browser.close());

  it("shows each policy and each move of a room, and goes to the step of one", async () => {
    expect(await view.locator(".standings tbody tr").count()).toBe(report.policies.length);
    const shown = data().rooms.find(
      (room) => room.moves.length === Math.max(...data().rooms.map((r) => r.moves.length)),
    );
    const last = shown?.moves.at(-1);
    if (last === undefined) throw new Error("no move to look at");
    const item = view.locator(".moves li").last();
    expect(await item.textContent()).toContain(last.text);
    await item.getByRole("button").click();
    expect(await view.getByLabel("step", { exact: true }).inputValue()).toBe(String(last.step));
    expect(await view.locator(".map .label").textContent()).toBe(last.to);
    expect(await view.locator(".timeline .move").count()).toBe(shown?.moves.length);
    expect(await view.locator(".timeline .tick", { hasText: "morning-1" }).count()).toBe(1);
  });

  it("plays the engine again under other parameters, as it plays here", async () => {
    const shown = Number(await view.getByLabel("room", { exact: true }).inputValue());
    await view.getByLabel("price of a move, ms.player.step").fill("5000");
    const outcome = view.locator(".outcome");
    await expect.poll(() => outcome.textContent(), { timeout: 30_000 }).toMatch(/optimum/);
    const stage = new SimulationStage(SLICES, { ...DEFAULT_SIMULATION, ...OPTIONS, migrationCost: 5_000 });
    const trace = stage.trace(shown);
    const steps = engineSteps(stage, shown, trace, stage.trained(), {});
    let run = steps.next();
    while (run.done !== true) run = steps.next();
    const { path } = run.value;
    expect(pathCost(stage.truth(trace), path, 5_000)).toBeGreaterThan(0);
    expect(await outcome.textContent()).toContain(` ${movesOf(path)} moves`);
    await view.getByRole("button", { name: "As simulated" }).click();
    await expect.poll(() => outcome.textContent()).toBe("Move a slider.");
  }, 60_000);

  it("asks for nothing and complains of nothing", () => {
    expect(requests).toEqual([pathToFileURL(file).href]);
    expect(errors).toEqual([]);
  });
});
