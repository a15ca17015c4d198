/**
 * One graph: what a picture takes from light to box over the distance to the edge, looked at in the page, at the edge, and
 * by whichever is faster, on a fast and on a slow client. Writes `bench-results/vision-distance.html` and `.png`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadWorld } from "@centroid/bots";
import { quantileOf } from "@centroid/placement";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../support/chromium.js";
import { DemoSystem } from "../support/demo-system.js";
import { type Curve, distancePage } from "./distance-page.js";
import type { BenchOptions } from "./groups.js";
import { type Row, rowOf } from "./row.js";

/** The only host, where the room stays. */
const HOST = "frankfurt";
/** Cities whose measured round trips to it are spread from 0 to 230 ms. */
const CITIES = ["frankfurt", "berlin", "istanbul", "chicago", "san-francisco", "auckland"];
const WAYS = ["local", "edge", "auto"] as const;
/** Times the CPU of the page is slowed down, by the browser's developer tools. */
const CLIENTS = [
  { name: "fast client", slowdown: 1 },
  { name: "slow client", slowdown: 6 },
] as const;
/** For each point and round; the page takes the median of its last 30 answers. */
const SECONDS = 3;
/** The ways take turns so often: a page's own speed varies by more than what tells them apart. */
const ROUNDS = 3;
const MIN_ANSWERS = 3;
const PATIENCE_MS = 120_000;

type Way = (typeof WAYS)[number];
/** Medians of each way, ms, one for each round, by city. */
type Measured = Record<string, Record<Way, number[]>>;

export async function visionDistance({ seconds = SECONDS }: BenchOptions): Promise<Row[]> {
  await using system = await DemoSystem.start("--hosts", "1");
  const browser = await launchChromium();
  try {
    const rttMs = loadWorld().rttTable;
    const distance = (city: string): number => rttMs[city]?.[HOST] ?? 0;
    const curves: Curve[] = [];
    const rows: Row[] = [];
    for (const { name, slowdown } of CLIENTS) {
      const measured = await ofClient(browser, system.url, slowdown, seconds);
      for (const way of WAYS)
        curves.push({
          client: name,
          way,
          points: CITIES.map((city) => ({
            x: distance(city),
            y: quantileOf(measured[city]?.[way] ?? [0], 0.5),
          })),
        });
      rows.push(...rowsOf(`vision over distance, ${name}`, measured, distance));
    }
    await draw(browser, curves);
    return rows;
  } finally {
    await browser.close();
  }
}

/** One page stays open for all of it, as a player does who travels. */
async function ofClient(browser: Browser, url: string, slowdown: number, seconds: number): Promise<Measured> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  try {
    await page.goto(`${url}/see/?city=${HOST}`);
    await page.getByText(/the room, in \w+/).waitFor({ timeout: PATIENCE_MS });
    // Both ends load their models before anything is slow.
    await choose(page, "local");
    await answers(page, 1);
    const tools = await page.context().newCDPSession(page);
    await tools.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
    const measure = async (way: Way): Promise<number> => {
      await choose(page, way);
      await page.waitForTimeout(seconds * 1_000);
      await answers(page, MIN_ANSWERS);
      return Number.parseFloat((await figure(page, "from light to box, median")) ?? "");
    };
    const measured: Measured = {};
    for (const city of CITIES) {
      await page.getByLabel("You are in").selectOption(city);
      const medians: Record<Way, number[]> = { local: [], edge: [], auto: [] };
      for (let round = 0; round < ROUNDS; round++)
        for (const way of WAYS) medians[way].push(await measure(way));
      measured[city] = medians;
    }
    return measured;
  } finally {
    await page.close();
  }
}

const choose = (page: Page, way: Way): Promise<void> => page.locator(`input[value=${way}]`).check();

const figure = (page: Page, name: string): Promise<string | null> =>
  page.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]").textContent();

/** So many more answers than now have come. */
async function answers(page: Page, count: number): Promise<void> {
  const now = async (): Promise<number> => Number(await figure(page, "answers"));
  const until = (await now()) + count;
  const deadlineMs = performance.now() + PATIENCE_MS;
  while ((await now()) < until) {
    if (performance.now() > deadlineMs) throw new Error("the page gets no answers");
    await page.waitForTimeout(100);
  }
}

function rowsOf(group: string, measured: Measured, distance: (city: string) => number): Row[] {
  const none: Record<Way, number[]> = { local: [], edge: [], auto: [] };
  const cities = CITIES.map((city) => ({ city, medians: measured[city] ?? none }));
  return [
    ...cities.flatMap(({ city, medians }) =>
      WAYS.map((way) =>
        rowOf(group, `${way}, edge ${distance(city).toFixed(0)} ms away`, "ms", medians[way]),
      ),
    ),
    {
      group,
      figure: "auto relative to the better of both, worst",
      value: Math.max(
        ...cities.map(
          ({ medians: { local, edge, auto } }) =>
            quantileOf(auto, 0.5) / Math.min(quantileOf(local, 0.5), quantileOf(edge, 0.5)),
        ),
      ),
      unit: "x",
      aim: { max: 1.05 },
    },
    {
      group,
      figure: "noise: local, which no distance changes, slowest median relative to the fastest",
      value: spread(cities.flatMap(({ medians }) => medians.local)),
      unit: "x",
    },
  ];
}

const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);

async function draw(browser: Browser, curves: readonly Curve[]): Promise<void> {
  const folder = "bench-results";
  await mkdir(folder, { recursive: true });
  const file = join(process.cwd(), folder, "vision-distance.html");
  await writeFile(file, distancePage(curves));
  const page = await browser.newPage({ viewport: { width: 860, height: 640 }, deviceScaleFactor: 2 });
  await page.goto(pathToFileURL(file).href);
  await page.screenshot({ path: file.replace(/html$/, "png"), fullPage: true });
  await page.close();
}
