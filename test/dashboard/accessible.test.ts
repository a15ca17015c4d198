/** Everyone can use it: axe-core on every page in both themes, keys alone, a phone. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, visit } from "./browser.js";
import { FakeBroker } from "./fake-broker.js";
import { type FakeWorld, stageWorld } from "./fake-world.js";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

/** The stage after one finished move and one evaluation, with hosts in every state. */
async function storied(): Promise<FakeBroker> {
  const broker = await FakeBroker.start(stageWorld());
  const { world } = broker;
  for (const happenings of world.migration("arena-2", "tokyo")) broker.play(...happenings);
  for (let step = 0; step < 20; step += 1) {
    world.pass(500);
    broker.play({ type: "decision", decision: world.decision("arena-5", "stay", undefined, step * 120) });
  }
  setState(world, "sydney", "draining");
  setState(world, "johannesburg", "lost");
  return broker;
}

function setState(world: FakeWorld, hostId: string, state: "draining" | "lost"): void {
  world.hosts.set(hostId, { ...world.hosts.get(hostId)!, state });
}

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

async function seriousFindings(page: Page): Promise<string[]> {
  const violations = await page.evaluate(async (source) => {
    if (!("axe" in window)) new Function(source).call(window);
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
    return (await axe.run()).violations;
  }, axeSource);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

test("axe-core has no serious findings on any page, dark or light", async () => {
  await using broker = await storied();
  await using seen = await visit(browser, broker.url, { bypassCSP: true });
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  const inBothThemes = async (name: string): Promise<void> => {
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await seen.screenshot(`${name}-${colorScheme}`);
      expect(await seriousFindings(page)).toEqual([]);
    }
  };
  const [receipt] = broker.world.receipts;
  const pages = ["", "#/rooms/arena-5", "#/hosts/virginia", "#/audit", `#/receipts/${receipt!.migrationId}`];
  for (const [index, path] of pages.entries()) {
    await page.goto(broker.url + path);
    await page
      .getByRole("heading", { level: path ? 1 : 2 })
      .first()
      .waitFor();
    if (path.includes("arena-5")) await page.getByRole("img", { name: /^Regret/ }).waitFor();
    await inBothThemes(`page-${index}`);
  }
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("dialog").waitFor();
  await inBothThemes("login");
});

test("keys alone reach the map, the tables, a room and back", async () => {
  await using broker = await storied();
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
  const tabTo = async (wanted: RegExp) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if (wanted.test(await focused())) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`no ${wanted} within 40 presses of Tab`);
  };
  await tabTo(/^World map/);
  const frankfurt = page.locator(".host-label", { hasText: "Frankfurt" });
  const labelX = async () => Math.round((await frankfurt.boundingBox())?.x ?? 0);
  const whole = await labelX();
  await page.keyboard.press("+");
  await expect.poll(labelX).not.toBe(whole);
  const zoomed = await labelX();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(labelX).toBeGreaterThan(zoomed);
  await page.keyboard.press("0");
  await expect.poll(labelX).toBe(whole);

  await tabTo(/^Hosts$/);
  await page.getByRole("tab", { name: "Rooms" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "arena-5" }).first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "arena-5" }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  await page.keyboard.press("Shift+Tab");
  expect(await focused()).toBe("Back to the overview");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Migrations" }).waitFor();
});

test("keys move between tabs, past the header, and back to the link that was followed", async () => {
  await using broker = await storied();
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  await seen.screenshot("skip-dark");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");

  const tab = (name: string) => page.getByRole("tab", { name });
  await tab("Hosts").focus();
  for (const [key, to] of [
    ["ArrowRight", "Rooms"],
    ["ArrowRight", "Hosts"],
    ["ArrowLeft", "Rooms"],
    ["Home", "Hosts"],
    ["End", "Rooms"],
  ] as const) {
    await page.keyboard.press(key);
    await page.getByRole("tab", { name: to, selected: true }).waitFor();
    expect(await focused()).toMatch(to);
  }

  await page.getByRole("table", { name: "Rooms" }).getByRole("link", { name: "arena-5" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "arena-5" }).waitFor();
  await page.getByRole("link", { name: "Virginia" }).first().click();
  await page.getByRole("heading", { name: "Virginia" }).waitFor();
  await page.getByRole("link", { name: "Back to the overview" }).press("Enter");
  // The host is in the other tab's table: the way in was the room.
  await expect.poll(focused).toBe("arena-5");
});

test("titles and first headings name the page", async () => {
  await using broker = await storied();
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  const [receipt] = broker.world.receipts;
  for (const [path, title, heading] of [
    ["", "Centroid", "Overview"],
    ["#/rooms/arena-5", "Room arena-5 · Centroid", "arena-5"],
    ["#/hosts/virginia", "Host virginia · Centroid", "Virginia"],
    ["#/audit", "Audit log · Centroid", "Audit log"],
    [`#/receipts/${receipt!.migrationId}`, `Receipt ${receipt!.migrationId} · Centroid`, "Virginia → Tokyo"],
  ] as const) {
    await page.goto(broker.url + path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    expect(await page.title()).toBe(title);
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
  }
});

test("while the broker cannot be reached figures are grey and say of when they are", async () => {
  const world = stageWorld();
  await using seen = await (async () => {
    await using broker = await FakeBroker.start(world);
    const seen = await visit(browser, broker.url, { bypassCSP: true });
    await seen.page.getByText("live", { exact: true }).waitFor();
    return seen;
  })();
  const { page } = seen;
  await page.getByText("broker unreachable, trying again").waitFor();
  await page.getByText(/^figures of \d\d:\d\d:\d\d$/).waitFor();
  const colourOf = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => getComputedStyle(element).color);
  const soft = await colourOf(".figures dt");
  expect([await colourOf(".figures dd"), await colourOf(".tables td")]).toEqual([soft, soft]);
  await seen.screenshot("stale-dark");
  expect(await seriousFindings(page)).toEqual([]);
});

test("on a phone everything fits the width", async () => {
  await using broker = await storied();
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  await using seen = await visit(browser, broker.url, phone);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  for (const path of ["", "#/rooms/arena-5", "#/audit"]) {
    await page.goto(broker.url + path);
    await page
      .getByRole("heading", { level: path ? 1 : 2 })
      .first()
      .waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await seen.screenshot(`phone-${path.split("/")[1] ?? "overview"}-dark`);
  }
});
