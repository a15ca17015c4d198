/** Room, receipt and host pages, the login, and what an order does. */
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, visit } from "./browser.js";
import { ADMIN_TOKEN, FakeBroker, VIEWER_TOKEN } from "./fake-broker.js";
import { type FakeWorld, stageWorld } from "./fake-world.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

/** Regret that grows until the room moves. */
function worldWithAStory(): FakeWorld {
  const world = stageWorld();
  const hear = (verdict: "stay" | "move", regret: number) =>
    world.take({
      type: "decision",
      seq: 0,
      atMs: world.nowMs(),
      decision: world.decision("arena-2", verdict, verdict === "move" ? "tokyo" : undefined, regret),
    });
  for (let step = 0; step < 30; step += 1) {
    world.pass(400);
    hear("stay", step * 130 + 40 * Math.sin(step));
  }
  return world;
}

test("the room page says why the room is here, with every candidate and the reason against it", async () => {
  await using broker = await FakeBroker.start(worldWithAStory());
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  await page.getByRole("heading", { name: "arena-2" }).waitFor();
  const candidates = page.getByRole("table", { name: "Candidates" });
  await candidates.getByRole("row", { name: /Virginia.*stays here/ }).waitFor();
  await candidates.getByRole("row", { name: /Tokyo.*best, but not yet worth a move/ }).waitFor();
  await candidates.getByRole("row", { name: /São Paulo.*\d ms worse/ }).waitFor();
  await candidates.getByRole("row", { name: /Singapore.*not the best score/ }).waitFor();
  await page.getByRole("img", { name: /^Regret 3,?7\d\d of 4200 needed/ }).waitFor();

  broker.play({ type: "decision", decision: broker.world.decision("arena-2", "move", "tokyo", 4_300) });
  await candidates.getByRole("row", { name: /Tokyo.*chosen/ }).waitFor();
  await page.getByText("Moves to Tokyo").waitFor();
  await page.getByRole("img", { name: "Regret 4300 of 4200" }).waitFor();
  await seen.screenshot("room-dark");
  expect(seen.errors).toEqual([]);
});

test("a receipt shows the phases and proves that nothing was lost", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByText("live", { exact: true }).waitFor();
  for (const happenings of broker.world.migration("arena-2", "tokyo")) broker.play(...happenings);
  await page.getByRole("log").getByRole("link", { name: "arena-2" }).click();
  await page.getByRole("heading", { name: "Virginia → Tokyo" }).waitFor();
  await page.getByRole("listitem").filter({ hasText: "frozen" }).getByText("18 ms").waitFor();
  await page.getByText("0 messages lost").waitFor();
  await page.getByText("state identical before and after").waitFor();
  await seen.screenshot("receipt-dark");
});

test("without a token orders ask for it; a wrong one is refused; the right one moves and kicks", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  await page.getByText("read-only").waitFor();
  await page.getByLabel("Move to").selectOption("tokyo");
  await page.getByRole("button", { name: "Move", exact: true }).click();

  const login = page.getByRole("dialog", { name: "Log in" });
  await login.getByLabel("Admin token").fill("guess");
  await login.getByRole("button", { name: "Log in" }).click();
  await login.getByRole("alert").waitFor();
  expect(broker.orders).toEqual([]);
  await login.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await login.getByRole("button", { name: "Log in" }).click();
  await page.getByText("admin", { exact: true }).waitFor();
  await expect
    .poll(() => broker.orders)
    .toContainEqual({ path: "/api/v1/rooms/arena-2/move", body: { hostId: "tokyo" } });

  // By keyboard: what the move brings may just be shifting the rows.
  await page.getByRole("button", { name: "Kick arena-2-p0" }).press("Enter");
  await expect
    .poll(() => broker.orders)
    .toContainEqual({ path: "/api/v1/rooms/arena-2/sessions/s0/kick", body: {} });
  await page.getByRole("row", { name: /arena-2-p0/ }).waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Read state" }).click();
  await page.getByText("4711").waitFor();
});

test("draining shows its effect first, and only a confirmation does it", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, `${broker.url}#/hosts/virginia`);
  const { page } = seen;
  await page.getByRole("heading", { name: "Virginia" }).waitFor();
  broker.play({ type: "decision", decision: broker.world.decision("arena-2", "stay") });
  await page.getByRole("button", { name: "Drain …" }).click();
  const dialog = page.getByRole("dialog", { name: "Drain Virginia?" });
  await dialog.getByText("1 room with 10 players will move away live").waitFor();
  await dialog.getByText("probably Tokyo").waitFor();
  await seen.screenshot("drain-dark");
  expect(broker.orders).toEqual([]);

  await dialog.getByRole("button", { name: "Drain Virginia" }).click();
  const login = page.getByRole("dialog", { name: "Log in" });
  await login.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  expect(broker.orders).toEqual([{ path: "/api/v1/hosts/virginia/drain", body: {} }]);
  await page.getByRole("row", { name: /Virginia.*draining/ }).waitFor();
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByRole("row", { name: /Virginia.*active/ }).waitFor();
});

test("a player dragged on the map asks what would happen, and the answer is shown", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  broker.whatIf = broker.world.decision("arena-2", "move", "sydney");
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  await page.getByRole("heading", { name: "arena-2" }).waitFor();
  const [first] = [...broker.world.players.values()].filter((player) => player.roomId === "arena-2");
  const from = await seen.onMap(first!.location!);
  const to = await seen.onMap({ latitude: -25, longitude: 134 });
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 4 });
  await seen.screenshot("what-if-drag-dark");
  await page.mouse.move(to.x, to.y, { steps: 4 });
  await page.mouse.up();
  await page.getByRole("heading", { name: "What if" }).waitFor();
  await page.getByText("Moves to Sydney").waitFor();
  await page.getByText(`If ${first!.playerId} were where you dropped the dot:`).waitFor();
  const asked = broker.questions[0] as {
    roomId: string;
    playerId: string;
    location: { latitude: number; longitude: number };
  };
  expect(asked).toMatchObject({ roomId: "arena-2", playerId: first!.playerId });
  // A question changes nothing, so nobody was asked for a token.
  expect(broker.orders).toEqual([]);
  expect(asked.location.latitude).toBeCloseTo(-25, 0);
  expect(asked.location.longitude).toBeCloseTo(134, 0);
  await seen.screenshot("what-if-answer-dark");
});

test("before the first snapshot no page says anything about the world", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  broker.snapshotHeld = true;
  for (const path of ["", "#/rooms/arena-2", "#/hosts/virginia", "#/receipts/m1"]) {
    await using seen = await visit(browser, broker.url + path);
    const { page } = seen;
    await page.locator("aside").getByText("Waiting for the broker …").waitFor();
    await expect.poll(() => broker.followers).toBe(1);
    expect(await page.getByText(/not running|No host|No room|There is no receipt/).count()).toBe(0);
    expect(await page.locator("article").count()).toBe(0);
    expect(await page.locator(".figures dd").allTextContents()).toEqual(["–", "–", "–", "–", "–"]);
    if (path !== "#/rooms/arena-2") continue;
    await seen.screenshot("before-the-world-dark");
    broker.releaseSnapshot();
    await page.getByRole("heading", { name: "arena-2" }).waitFor();
    // What the title stands for is there with it: the room, and its players on the map.
    expect(await page.getByLabel("Move to").count()).toBe(1);
    broker.snapshotHeld = true;
  }
});

test.each([
  ["tablet", { width: 820, height: 1180 }],
  ["phone", { width: 390, height: 844 }],
])(
  "on a %s the map is beside the sentence that asks for a drag, and the answer in sight",
  async (name, viewport) => {
    await using broker = await FakeBroker.start(stageWorld());
    broker.whatIf = broker.world.decision("arena-2", "move", "sydney");
    await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`, {
      viewport,
      hasTouch: true,
      isMobile: true,
    });
    const { page } = seen;
    await page.getByRole("heading", { name: "arena-2" }).waitFor();
    const bounds = async (of: Locator) => (await of.boundingBox())!;
    const hint = await bounds(page.getByText("drag one of the room's players on the map"));
    const map = await bounds(page.getByRole("application"));
    expect(hint.y + hint.height - map.y).toBeLessThan(viewport.height);
    await page.getByRole("application").scrollIntoViewIfNeeded();
    await seen.screenshot(`what-if-${name}-before`);
    const [first] = [...broker.world.players.values()].filter((player) => player.roomId === "arena-2");
    const from = await seen.onMap(first!.location!);
    const to = await seen.onMap({ latitude: -25, longitude: 134 });
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 4 });
    await page.mouse.up();
    const answer = page.getByText("Moves to Sydney");
    await answer.waitFor();
    await expect
      .poll(async () => {
        const { y, height } = await bounds(answer);
        return y >= 0 && y + height <= viewport.height;
      })
      .toBe(true);
    await seen.screenshot(`what-if-${name}-answer`);
  },
);

test("what if, by keys alone", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  broker.whatIf = broker.world.decision("arena-2", "move", "sydney");
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  const form = page.getByRole("form", { name: "What if" });
  await form.getByLabel("What if").focus();
  await page.keyboard.type("arena-2-p3");
  await page.keyboard.press("Tab");
  await page.keyboard.type("Sydney");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("status").getByText("If arena-2-p3 were in Sydney:").waitFor();
  await page.getByText("Moves to Sydney").waitFor();
  const { latitude, longitude } = broker.world.hosts.get("sydney")!;
  expect(broker.questions).toEqual([
    { roomId: "arena-2", playerId: "arena-2-p3", location: { latitude, longitude } },
  ]);
  expect(broker.orders).toEqual([]);
  await seen.screenshot("what-if-keys-dark");
});

test("on paper there is the page, in light colours and without its controls", async () => {
  await using broker = await FakeBroker.start(worldWithAStory());
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  await page.getByRole("table", { name: "Candidates" }).waitFor();
  await page.emulateMedia({ media: "print" });
  expect(await page.getByRole("button").count()).toBe(0);
  expect(await page.getByRole("combobox").count()).toBe(0);
  const article = page.locator("article");
  const cut = await article.evaluate((element) => element.scrollHeight - element.clientHeight);
  expect(cut).toBeLessThanOrEqual(1);
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(
    "rgb(255, 255, 255)",
  );
  await seen.screenshot("print-room");
});

test("a viewer's token reads and gives no orders; the name goes on record", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  await page.getByRole("button", { name: "Log in" }).click();
  const login = page.getByRole("dialog", { name: "Log in" });
  await login.getByLabel("Token", { exact: true }).fill(VIEWER_TOKEN);
  await login.getByLabel("Your name").fill("Zoë");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
  await page.getByText("read-only").waitFor();

  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await login.getByLabel("Admin token").fill(VIEWER_TOKEN);
  await page.keyboard.press("Enter");
  await login.getByText("This token only reads").waitFor();
  await login.getByLabel("Admin token").fill(ADMIN_TOKEN);
  const order = page.waitForRequest(/\/lock$/);
  await page.keyboard.press("Enter");
  expect((await order).headers()["centroid-operator"]).toBe("Zo%C3%AB");
  await page.getByText("running, locked").waitFor();
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("button", { name: "Lock", exact: true }).waitFor();
  expect(broker.orders.map(({ path }) => path)).toEqual([
    "/api/v1/rooms/arena-2/lock",
    "/api/v1/rooms/arena-2/unlock",
  ]);
});

test("a test message goes to whom it is meant for, and what is no JSON goes nowhere", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  await using seen = await visit(browser, `${broker.url}#/rooms/arena-2`);
  const { page } = seen;
  const form = page.locator("form.message");
  await form.getByLabel("To").selectOption({ label: "the room, as arena-2-p0" });
  await form.getByLabel("Type").fill("walk");
  await form.getByLabel("Payload").fill("{ dx: 1 }");
  await form.getByRole("button", { name: "Send" }).click();
  await form.getByRole("alert").getByText("not JSON").waitFor();
  expect(broker.orders).toEqual([]);
  await form.getByLabel("Payload").fill('{ "dx": 1 }');
  await form.getByRole("button", { name: "Send" }).click();
  const login = page.getByRole("dialog", { name: "Log in" });
  await login.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.keyboard.press("Enter");
  await form.getByText("Sent to 10 rooms.").waitFor();
  await form.getByLabel("To").selectOption({ label: "everyone in the room" });
  await form.getByLabel("Type").fill("7");
  await form.getByLabel("Payload").fill("");
  await form.getByRole("button", { name: "Send" }).click();
  await form.getByText("Sent to 10 players.").waitFor();
  await form.scrollIntoViewIfNeeded();
  await seen.screenshot("message-tester-dark");
  expect(broker.orders.map(({ body }) => body)).toEqual([
    { to: { kind: "room", fromSessionId: "s0" }, type: "walk", payload: { dx: 1 } },
    { to: { kind: "everyone" }, type: 7 },
  ]);
});

test("the audit log says who ordered what, when, and what became of it", async () => {
  await using broker = await FakeBroker.start(stageWorld());
  const atMs = broker.world.nowMs();
  const common = { brokerId: "b", atMs, tookMs: 5 };
  const who = { role: "admin", address: "127.0.0.1" } as const;
  broker.auditLog = [
    {
      ...common,
      auditId: "3",
      who: { role: "none", address: "203.0.113.9" },
      action: "drain",
      hostId: "tokyo",
      outcome: "refused",
      code: "UNAUTHORIZED",
      message: "wrong token",
    },
    { ...common, auditId: "2", who, action: "kick", roomId: "arena-2", sessionId: "s0", outcome: "done" },
    {
      ...common,
      auditId: "1",
      who: { ...who, name: "Zoë" },
      action: "move",
      roomId: "arena-2",
      details: { hostId: "tokyo" },
      outcome: "done",
    },
  ];
  await using seen = await visit(browser, broker.url);
  const { page } = seen;
  await page.getByRole("link", { name: "Audit log" }).click();
  const orders = page.getByRole("table", { name: "Orders" });
  await orders.getByRole("row", { name: /Zoë.*admin, 127.0.0.1.*move arena-2.*tokyo.*done/ }).waitFor();
  await orders.getByRole("row", { name: /none.*203.0.113.9.*drain Tokyo.*refused.*wrong token/ }).waitFor();
  await seen.screenshot("audit-dark");
  broker.auditLog = broker.auditLog.slice(2);
  await page.getByRole("button", { name: "Read again" }).click();
  await orders.getByRole("row", { name: /drain/ }).waitFor({ state: "detached" });
  expect(seen.errors).toEqual([]);
});
