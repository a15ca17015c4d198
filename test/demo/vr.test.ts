/** The social VR page in real browsers: people see each other, pass things, and the room moves underneath. */
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium } from "../support/chromium.js";
import { DemoSystem } from "../support/demo-system.js";
import { context3d, launch3d, picture } from "../support/three-d.js";

const SHOTS = join(import.meta.dirname, "../artifacts/vr");
const require = createRequire(import.meta.url);
const PATIENT = { timeout: 60_000 };
const LOOPBACK = /^(https?|wss?):\/\/127\.0\.0\.1:|^(data|blob):/;

/** One that beeps, asks nobody, and calls over the loopback. */
const MICROPHONE = [
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

interface Vector {
  x: number;
  y: number;
  z: number;
}
interface Seen {
  id: string;
  head: Vector;
  left: Vector;
  right: Vector;
}

let system: DemoSystem;
let browser: Browser;
const elsewhere: string[] = [];
const errors: string[] = [];

describe.skipIf(!hasChromium)("the social VR page", () => {
  beforeAll(async () => {
    system = await DemoSystem.start();
    browser = await launch3d(MICROPHONE);
    await mkdir(SHOTS, { recursive: true });
  });
  // Pages that a failed test left would slow down the next one.
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  });
  afterAll(async () => {
    await browser.close();
    await system[Symbol.asyncDispose]();
  });

  async function visit(query: string, headset = false): Promise<Page> {
    const context = await context3d(browser, {
      viewport: { width: 960, height: 540 },
    });
    if (headset) {
      const iwer = await readFile(join(require.resolve("iwer"), "../../build/iwer.min.js"), "utf8");
      await context.addInitScript({
        content: `${iwer}; window.headset = new IWER.XRDevice(IWER.metaQuest3); window.headset.installRuntime({ forceInstall: true });`,
      });
    }
    const page = await context.newPage();
    const note = (url: string): void => void (LOOPBACK.test(url) || elsewhere.push(url));
    page.on("request", (request) => note(request.url()));
    page.on("websocket", (socket) => note(socket.url()));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${system.url}/vr/${query}`);
    await page.getByText(/alone here|with \w+/).waitFor(PATIENT);
    return page;
  }

  /** Everyone else as this page shows them. */
  const people = (page: Page): Promise<Seen[]> =>
    page.evaluate(() =>
      [...document.querySelectorAll(".avatar")].map((el) => {
        type Shown = { position: Vector; children: Shown[] };
        const { object3D } = el as Element & { object3D: { children: Shown[] } };
        const [head, left, right] = object3D.children[0]!.children.map(({ position: { x, y, z } }) => ({
          x,
          y,
          z,
        })) as [Vector, Vector, Vector];
        return { id: el.id, head, left, right };
      }),
    );
  const heldBy = (page: Page): Promise<string[]> =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>(".thing")].map(
        ({ id, dataset }) => `${id}:${dataset.heldBy ? `avatar-${dataset.heldBy}` : ""}`,
      ),
    );
  const apart = (a: Vector, b: Vector): number => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);

  test("two people see each other walk, take a thing and drop it, across a move of the room", async () => {
    const ana = await visit("?name=Ana&city=frankfurt");
    const ben = await visit("?name=Ben&city=london");
    await ana.getByText("Ana, with Ben").waitFor(PATIENT);
    const [anaSeen] = await people(ben);
    const [benSeen] = await people(ana);
    expect(anaSeen!.head.y).toBeCloseTo(1.6, 1);

    await ana.keyboard.down("KeyA");
    await expect
      .poll(async () => apart((await people(ben))[0]!.head, anaSeen!.head), PATIENT)
      .toBeGreaterThan(0.4);
    await ana.keyboard.up("KeyA");

    const free = await heldBy(ben);
    expect(free).toHaveLength(6);
    await ana.keyboard.press("e");
    await expect
      .poll(async () => (await heldBy(ben)).filter((held) => held.endsWith(anaSeen!.id)).length, PATIENT)
      .toBe(1);
    const held = await heldBy(ben);

    const { to } = await system.moveAway("plaza", ["virginia", "frankfurt"]);
    const server = (page: Page) => page.locator("centroid-hud dd").first().textContent();
    for (const page of [ana, ben]) await expect.poll(() => server(page), PATIENT).toBe(to.toUpperCase());
    await picture(ben, join(SHOTS, "after-the-move.png"));
    for (const [page, other] of [
      [ana, benSeen!],
      [ben, anaSeen!],
    ] as const) {
      expect((await people(page)).map(({ id }) => id)).toEqual([other.id]);
      expect(await heldBy(page)).toEqual(held);
    }
    const stood = (await people(ben))[0]!.head;
    await ana.keyboard.down("KeyS");
    await expect.poll(async () => apart((await people(ben))[0]!.head, stood), PATIENT).toBeGreaterThan(0.3);
    await ana.keyboard.up("KeyS");
    await ana.keyboard.press("e");
    await expect.poll(() => heldBy(ben), PATIENT).toEqual(free);
  }, 240_000);

  test("people hear each other, and go on doing so while the room moves", async () => {
    const eve = await visit("?name=Eve&city=paris");
    const fay = await visit("?name=Fay&city=paris");
    await eve.getByText("Eve, with Fay").waitFor(PATIENT);
    await eve.getByRole("button", { name: "Voice on" }).click();
    await fay.getByRole("button", { name: "Voice on" }).click();
    const loudest = async (page: Page): Promise<number> => {
      const [other] = await people(page);
      return page.evaluate(
        (id) => {
          const button = document.querySelector("#voice") as Element & { levelOf(id: string): number };
          return button.levelOf(id);
        },
        other!.id.replace("avatar-", ""),
      );
    };
    const hears = async (page: Page): Promise<void> =>
      expect.poll(() => loudest(page), PATIENT).toBeGreaterThan(0.01);
    await Promise.all([hears(eve), hears(fay)]);
    await system.moveAway("plaza", ["virginia", "frankfurt"]);
    await Promise.all([hears(eve), hears(fay)]);
    // Whoever stops is not heard any more; the other may go on.
    await eve.getByRole("button", { name: "Voice off" }).click();
    await expect.poll(() => loudest(fay), PATIENT).toBe(0);
  }, 240_000);

  test("in a headset head and controllers move, and the others see it", async () => {
    const cara = await visit("?name=Cara&city=paris", true);
    const dan = await visit("?name=Dan&city=paris");
    await cara.getByText("with Dan").waitFor(PATIENT);
    const seen = async (): Promise<Seen> => (await people(dan)).at(-1)!;
    const before = await seen();
    await cara.getByRole("button", { name: "Enter VR" }).click();
    await expect
      .poll(
        () =>
          cara.evaluate(() =>
            (document.querySelector("a-scene") as unknown as { is(state: string): boolean }).is("vr-mode"),
          ),
        PATIENT,
      )
      .toBe(true);
    await cara.evaluate(() => {
      interface Tracked {
        position: { set(x: number, y: number, z: number): void };
      }
      const { headset } = window as unknown as {
        headset: Tracked & { controllers: { left: Tracked; right: Tracked } };
      };
      headset.position.set(0, 1.9, 0);
      headset.controllers.left.position.set(-0.5, 2.2, -0.2);
      headset.controllers.right.position.set(0.4, 0.9, -0.5);
    });
    await expect.poll(async () => (await seen()).head.y, PATIENT).toBeCloseTo(1.9, 1);
    await expect.poll(async () => (await seen()).left.y, PATIENT).toBeCloseTo(2.2, 1);
    await expect.poll(async () => (await seen()).right.y, PATIENT).toBeCloseTo(0.9, 1);
    const after = await seen();
    expect(after.id).toBe(before.id);
    // Where the desktop player stood, not in the middle of the table.
    expect(Math.hypot(after.head.x - before.head.x, after.head.z - before.head.z)).toBeLessThan(0.3);
    expect(apart(after.left, after.right)).toBeGreaterThan(1);
    await picture(dan, join(SHOTS, "headset-seen.png"));
  }, 240_000);

  test("the page's controls have no serious findings of axe-core; nothing left this machine", async () => {
    const page = await visit("?name=Eve&city=tokyo");
    const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
    const serious = await page.evaluate(async (source) => {
      new Function(source).call(window);
      interface Finding {
        id: string;
        impact: string;
        nodes: { html: string }[];
      }
      const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
      return (await axe.run()).violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    }, axe);
    expect(serious).toEqual([]);
    await picture(page, join(SHOTS, "page.png"));
    expect(elsewhere).toEqual([]);
    expect(errors).toEqual([]);
  }, 60_000);
});
