/**
 * One graph: what a picture takes from light to box over the distance to the edge, looked at in the page, at the edge, and
 * by whichever is faster, on a fast and on a slow client. Writes `bench-results/vision-distance.html` and `.png`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadWorld } from "@centroid/bots";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../support/chromium.js";
import { DemoSystem } from "../support/demo-system.js";
import { type Curve, distancePage } from "./distance-page.js";
import type { BenchOptions } from "./groups.js";
import type { Row } from "./row.js";

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
/** For each point; the page takes the median of its last 30 answers. */
const SECONDS = 8;
const MIN_ANSWERS = 3;
const PATIENCE_MS = 120_000;

type Way = (typeof WAYS)[number];
/** Median of each way, ms, by city. */
type Measured = Record<string, Record<Way, number>>;

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
          points: CITIES.map((city) => ({ x: distance(city), y: measured[city]?.[way] ?? 0 })),
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
    const median = async (way: Way): Promise<number> => {
      await choose(page, way);
      await page.waitForTimeout(seconds * 1_000);
      await answers(page, MIN_ANSWERS);
      return Number.parseFloat((await figure(page, "from light to box, median")) ?? "");
    };
    const measured: Measured = {};
    for (const city of CITIES) {
      await page.getByLabel("You are in").selectOption(city);
      // One after the other, near in time: the page's own speed varies with what else the machine does.
      const [local, edge, auto] = [await median("local"), await median("edge"), await median("auto")];
      measured[city] = { local, edge, auto };
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
  const rows = CITIES.map((city) => ({ city, ...(measured[city] ?? { local: 0, edge: 0, auto: 0 }) }));
  return [
    ...rows.flatMap(({ city, local, edge, auto }) =>
      (Object.entries({ local, edge, auto }) as [Way, number][]).map(([way, value]) => ({
        group,
        figure: `${way}, edge ${distance(city).toFixed(0)} ms away`,
        value,
        unit: "ms",
      })),
    ),
    {
      group,
      figure: "auto relative to the better of both, worst",
      value: Math.max(...rows.map(({ local, edge, auto }) => auto / Math.min(local, edge))),
      unit: "x",
      aim: { max: 1.05 },
    },
  ];
}

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
