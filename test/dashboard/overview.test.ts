/** The first page: what a person sees of hosts, rooms and migrations, live. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, visit } from "./browser.js";
import { FakeBroker } from "./fake-broker.js";
import { stageWorld } from "./fake-world.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

test("a migration is seen as an arc with its phase, and the room ends at the new host", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByText("emulated distances").waitFor();
  await page.getByRole("tab", { name: "Rooms" }).click();
  const row = page.getByRole("row", { name: /arena-2/ });
  await row.getByText("Virginia").waitFor();

  const arc = page.locator('.arc[data-room="arena-2"]');
  for (const happenings of broker.world.migration("arena-2", "tokyo")) {
    broker.play(...happenings);
    const [first] = happenings;
    if (first?.type !== "migration") throw new Error("a migration step starts with its phase");
    await page.locator(`.arc[data-room="arena-2"][data-phase="${first.migration.phase}"]`).waitFor();
    if (first.migration.phase === "copying") {
      await page.getByRole("log").getByText("copying").waitFor();
      await seen.screenshot("migration-copying-dark");
    }
  }
  expect(await arc.textContent()).toMatch(/moved · freeze [\d.]+ ms/);
  await row.getByText("Tokyo").waitFor();
  const finished = page.getByRole("log").locator('[data-room="arena-2"]');
  await finished.getByText("Virginia → Tokyo").waitFor();
  await finished.getByText("closer to its players").waitFor();
  await seen.screenshot("migration-finished-dark");
  expect(seen.errors).toEqual([]);
});

test("table values follow the stream, and can be sorted", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  const hosts = page.getByRole("table", { name: "Hosts" });
  const virginia = hosts.getByRole("row", { name: /Virginia/ });
  await virginia.getByText("227 ms").waitFor();
  const host = broker.world.hosts.get("virginia")!;
  broker.play({ type: "host", host: { ...host, load: 0.87, state: "draining" } });
  await virginia.getByText("87 %").waitFor();
  await virginia.getByText("draining").waitFor();
  for (const player of [...broker.world.players.values()].filter((each) => each.roomId === "arena-2")) {
    const latency = { ...player.latency!, p50Ms: 31, jitterMs: 2.5 };
    broker.play({ type: "player", player: { ...player, latency } });
  }
  await virginia.getByText("31 ms").waitFor();
  await virginia.getByText("2.5 ms").waitFor();

  await hosts.getByRole("button", { name: "Load" }).click();
  await hosts.getByRole("button", { name: "Load" }).click();
  await hosts.locator("tbody tr").first().getByText("Virginia").waitFor();
  broker.play({ type: "host-removed", hostId: "virginia" });
  await virginia.waitFor({ state: "detached" });
});

test("nothing leaves the page's origin, and a frame that is no event is counted, not believed", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  broker.sendRaw(JSON.stringify({ type: "host", seq: 1, atMs: 1, host: { hostId: "../../etc" } }));
  await page.getByText("1 unreadable event").waitFor();
  await page.goto(`${broker.url}#/rooms/arena-1`);
  await page.getByRole("heading", { name: "arena-1" }).waitFor();
  expect(seen.requests.length).toBeGreaterThan(3);
  const elsewhere = seen.requests.filter(
    (url) => new URL(url).host !== new URL(broker.url).host && !url.startsWith("data:"),
  );
  expect(elsewhere).toEqual([]);
  // Not even if something tried: the page's own policy forbids it.
  const tried = await page.evaluate(() =>
    fetch("http://127.0.0.1:9/").then(
      () => "sent",
      (error) => String(error),
    ),
  );
  expect(tried).toContain("Failed to fetch");
  expect(seen.errors.join()).toContain("Content Security Policy");
});

test("the page says when the broker is gone, and goes on by itself when it is back", async () => {
  const first = await FakeBroker.start(stageWorld());
  const { port } = first;
  await using seen = await visit(browser, first.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  await first[Symbol.asyncDispose]();
  await page.getByText("broker unreachable, trying again").waitFor();

  const world = stageWorld();
  world.pass(60_000);
  await using _second = await FakeBroker.start(world.addRoom("arena-6", "sydney", 4, ["sydney"]), port);
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByRole("tab", { name: "Rooms" }).click();
  await page.getByRole("row", { name: /arena-6/ }).waitFor();
});

test("a room that rolls back stays where it was, and the feed says so", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  const steps = broker.world.migration("arena-2", "tokyo");
  broker.play(...steps.next().value);
  await page.locator('.arc[data-phase="preparing"]').waitFor();
  const [migration] = broker.world.migrations.values();
  broker.play({
    type: "receipt",
    receipt: {
      ...migration!,
      mechanism: "handoff",
      outcome: "rolled-back",
      error: { code: "HOST_LOST", message: "the destination stopped answering" },
      epoch: 1,
      totalMs: 90,
      phases: [],
      messagesLost: 0,
      messagesDuplicated: 0,
    },
  });
  await page.locator('.arc[data-room="arena-2"][data-phase="rolled-back"]').waitFor();
  await page.getByRole("log").getByText("× rolled back").waitFor();
  await page.getByRole("log").getByRole("link", { name: "arena-2" }).click();
  await page.getByText("HOST_LOST: the destination stopped answering").waitFor();
});
