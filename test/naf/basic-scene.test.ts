/**
 * networked-aframe's own example scene (examples/basic.html of its package) on this broker: two attributes
 * changed, the adapter's script added. Two browsers, through a move of the room.
 */
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { expect, it } from "vitest";
import { hasChromium } from "../support/chromium.js";
import { closeServer } from "../support/close-server.js";
import { DemoSystem } from "../support/demo-system.js";
import { context3d, launch3d, picture } from "../support/three-d.js";

const require = createRequire(import.meta.url);
const NAF = join(dirname(require.resolve("networked-aframe")), "..");
const AFRAME = join(dirname(require.resolve("aframe")), "aframe-v1.8.0.min.js");
const ADAPTER = join(import.meta.dirname, "../../client/naf-adapter/dist-web/centroid-naf-adapter.js");
const SHOTS = join(import.meta.dirname, "../artifacts");

/** Serves the scene as its authors do, and the adapter. */
async function serveScene(brokerUrl: string): Promise<Server> {
  const example = await readFile(join(NAF, "examples/basic.html"), "utf8");
  const scene = example
    .replace("adapter: wseasyrtc;", `adapter: centroid; serverURL: ${brokerUrl};`)
    .replace(
      '<script src="/dist/networked-aframe.js"></script>',
      '<script src="/dist/networked-aframe.js"></script><script src="/centroid-naf-adapter.js"></script>',
    );
  expect(scene.match(/centroid/g)).toHaveLength(2);
  const files: Record<string, string> = {
    "/dist/networked-aframe.js": join(NAF, "dist/networked-aframe.js"),
    "/js/spawn-in-circle.component.js": join(NAF, "examples/js/spawn-in-circle.component.js"),
    "/centroid-naf-adapter.js": ADAPTER,
  };
  const server = createServer(async ({ url = "" }, response) => {
    const file = files[url];
    if (url === "/") response.writeHead(200, { "content-type": "text/html" }).end(scene);
    else if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": "text/javascript" }).end(await readFile(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function open(browser: Browser, server: Server): Promise<Page> {
  const context = await context3d(browser, { viewport: { width: 480, height: 320 } });
  const page = await context.newPage();
  const aframe = await readFile(AFRAME, "utf8");
  // A-Frame comes from its package; the example's decorations (sky, flying, random colours) stay away.
  await context.route(/^https:/, (route) => {
    const body = /\/aframe\.min\.js$/.test(route.request().url()) ? aframe : "";
    return route.fulfill({ contentType: "text/javascript", body });
  });
  await page.goto(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
  return page;
}

/** Every networked entity of the page: its id, and for others' rigs where they stand. */
const entities = (page: Page): Promise<{ ids: string[]; rigs: { id: string; x: number }[] }> =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll("[networked]")] as (Element & {
      object3D: { position: { x: number } };
      components: { networked: { data: { networkId: string; template: string; owner: string } } };
    })[];
    const { NAF } = window as unknown as { NAF: { clientId: string } };
    const data = (el: (typeof all)[number]) => el.components.networked.data;
    const rigs = all.filter((el) => data(el).template === "#rig-template" && data(el).owner !== NAF.clientId);
    return {
      ids: all.map((el) => data(el).networkId).sort(),
      rigs: rigs.map((el) => ({ id: data(el).networkId, x: el.object3D.position.x })),
    };
  });

const moveTo = (page: Page, x: number): Promise<void> =>
  page.evaluate((x) => document.querySelector("#rig")?.setAttribute("position", `${x} 0 0`), x);

it.skipIf(!hasChromium)(
  "two browsers see the same avatars before and after the room moved, none twice, and go on moving",
  async () => {
    await using system = await DemoSystem.start();
    const server = await serveScene(system.url);
    const browser = await launch3d();
    try {
      const ana = await open(browser, server);
      const ben = await open(browser, server);
      // Rig and head of each of the two.
      for (const page of [ana, ben])
        await expect.poll(async () => (await entities(page)).ids.length, { timeout: 90_000 }).toBe(4);
      const before = await entities(ben);
      expect((await entities(ana)).ids).toEqual(before.ids);
      expect(new Set(before.ids).size).toBe(4);
      expect(before.rigs).toHaveLength(1);

      await moveTo(ana, 1.5);
      await expect.poll(async () => (await entities(ben)).rigs[0]?.x, { timeout: 45_000 }).toBeCloseTo(1.5);
      const { from } = await system.moveAway("naf", ["tokyo", "virginia"]);
      await expect.poll(async () => (await system.room("naf")).hostId, { timeout: 45_000 }).not.toBe(from);
      await moveTo(ana, -2);
      await expect.poll(async () => (await entities(ben)).rigs[0]?.x, { timeout: 45_000 }).toBeCloseTo(-2);
      for (const page of [ana, ben]) expect((await entities(page)).ids).toEqual(before.ids);
      await mkdir(SHOTS, { recursive: true });
      await picture(ben, join(SHOTS, "naf-basic.png"));

      await ana.context().close();
      await expect.poll(async () => (await entities(ben)).ids.length, { timeout: 45_000 }).toBe(2);
    } finally {
      await browser.close();
      await closeServer(server);
    }
  },
  240_000,
);
