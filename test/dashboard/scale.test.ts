/** A thousand hosts and two thousand players: the map still moves with the hand. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, visit } from "./browser.js";
import { FakeBroker } from "./fake-broker.js";
import { FakeWorld, stageWorld } from "./fake-world.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

function crowdedWorld(): FakeWorld {
  const world = new FakeWorld().addHosts(1_000);
  const hostIds = [...world.hosts.keys()];
  for (let room = 0; room < 100; room += 1) {
    const near = [0, 1, 2, 3].map((step) => hostIds[(room * 37 + step * 101) % hostIds.length]!);
    world.addRoom(`arena-${room}`, near[0]!, 20, near);
  }
  return world;
}

/** Time from a step of the wheel to the frame after the one that shows it, median of `steps`, ms. */
function frameCost(page: Page, steps: number): Promise<number> {
  return page.evaluate(async (count) => {
    const map = document.querySelector<HTMLElement>("[role=application]")!;
    const costs: number[] = [];
    for (let step = 0; step < count; step += 1) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const start = performance.now();
      map.dispatchEvent(
        new WheelEvent("wheel", {
          deltaY: step % 20 < 10 ? -40 : 40,
          clientX: 500,
          clientY: 250,
          bubbles: true,
        }),
      );
      // Rendering is scheduled as a microtask or a frame; a message comes after both.
      await new Promise((resolve) => requestAnimationFrame(resolve));
      await new Promise<void>((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve();
        port2.postMessage(0);
      });
      costs.push(performance.now() - start);
    }
    return costs.sort((a, b) => a - b)[Math.floor(count * 0.5)]!;
  }, steps);
}

test("1,000 hosts and 2,000 players are shown, scroll and zoom", async () => {
  await using broker = await FakeBroker.start(crowdedWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByText("2,000").waitFor();
  const table = page.getByRole("table", { name: "Hosts" });
  expect(await table.getAttribute("aria-rowcount")).toBe("1001");
  // Only what is in sight is in the document.
  expect(await table.locator("tbody tr").count()).toBeLessThan(60);
  await table.getByRole("row", { name: /Edge 10 / }).waitFor();
  await page
    .getByRole("region", { name: "Hosts" })
    .evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await table.getByRole("row", { name: /Virginia/ }).waitFor();
  await seen.screenshot("scale-dark");
  const crowdedMs = await frameCost(page, 40);

  await using small = await FakeBroker.start(stageWorld());
  await using calm = await visit(browser, small.url);
  await calm.page.getByText("live", { exact: true }).waitFor();
  const calmMs = await frameCost(calm.page, 40);
  console.log(
    `zoom step, median: ${crowdedMs.toFixed(1)} ms in the crowd, ${calmMs.toFixed(1)} ms with 8 hosts`,
  );
  // Against the small map of the same minute, for machines differ; drawn one by one the crowd took tenfold.
  expect(crowdedMs).toBeLessThan(5 * Math.max(calmMs, 16));
});
