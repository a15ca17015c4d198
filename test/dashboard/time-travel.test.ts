/** The time line: back to before a migration, forward again, and out as a file that plays by itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, visit } from "./browser.js";
import { FakeBroker } from "./fake-broker.js";
import { stageWorld } from "./fake-world.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

/** A minute in which arena-2 moves from Virginia to Tokyo half way. */
async function playAMinute(broker: FakeBroker, page: Page): Promise<void> {
  await page.getByText("live", { exact: true }).waitFor();
  const wait = () => {
    broker.world.pass(30_000);
    broker.play({ type: "host", host: broker.world.hosts.get("sydney")! });
  };
  wait();
  for (const happenings of broker.world.migration("arena-2", "tokyo")) broker.play(...happenings);
  wait();
  await page.getByRole("tab", { name: "Rooms" }).click();
  await page.getByRole("row", { name: /arena-2.*Tokyo/ }).waitFor();
}

test("the slider shows the world as it was, the present goes on underneath", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await playAMinute(broker, page);
  const slider = page.getByRole("slider", { name: "Time travel" });
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("row", { name: /arena-2.*Virginia/ }).waitFor();
  await page.getByText(/1 min 0 s ago/).waitFor();

  broker.play({ type: "room-removed", roomId: "arena-5" });
  await page.getByRole("row", { name: /arena-5/ }).waitFor();
  await slider.fill(String(Number(await slider.inputValue()) + 30_100));
  await page.locator('.arc[data-room="arena-2"]').waitFor();
  await seen.screenshot("time-travel-dark");
  await page.getByRole("button", { name: "Live" }).click();
  await page.getByRole("row", { name: /arena-2.*Tokyo/ }).waitFor();
  await page.getByRole("row", { name: /arena-5/ }).waitFor({ state: "detached" });
});

test("the exported file is one page that plays the same hour with nothing beside it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "centroid-export-"));
  try {
    const path = join(folder, "recording.html");
    {
      await using broker = await FakeBroker.start(stageWorld());
      await using seen = await visit(browser, broker.url);
      await playAMinute(broker, seen.page);
      const download = seen.page.waitForEvent("download");
      await seen.page.getByRole("button", { name: "Export" }).click();
      await (await download).saveAs(path);
    }
    await using replayed = await visit(browser, pathToFileURL(path).href);
    const { page } = replayed;
    await page.getByText("recording", { exact: true }).waitFor();
    await page.getByRole("tab", { name: "Rooms" }).click();
    await page.getByRole("row", { name: /arena-2.*Virginia/ }).waitFor();
    await page.getByRole("slider", { name: "Time travel" }).focus();
    await page.keyboard.press("End");
    await page.getByRole("row", { name: /arena-2.*Tokyo/ }).waitFor();
    await page
      .getByRole("row", { name: /arena-2/ })
      .getByRole("link")
      .click();
    await page.getByRole("heading", { name: "arena-2" }).waitFor();
    expect(await page.getByRole("button", { name: "Move", exact: true }).count()).toBe(0);
    expect(replayed.requests.filter((url) => !url.startsWith("file:") && !url.startsWith("data:"))).toEqual(
      [],
    );
    expect(replayed.errors).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
