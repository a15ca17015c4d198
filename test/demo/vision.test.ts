/** The room that sees: what is no picture is refused with words, and in the page the stream goes on through a move. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { DemoSystem } from "../support/demo-system.js";

const SHOTS = join(import.meta.dirname, "../artifacts");

let system: DemoSystem;
let client: CentroidClient;
let picture: Uint8Array;
beforeAll(async () => {
  system = await DemoSystem.start();
  client = new CentroidClient(system.url, { probing: false });
  picture = new Uint8Array(await readFile(join(import.meta.dirname, "../../client/bots/data/faces.jpg")));
}, 60_000);
afterAll(async () => {
  client?.dispose();
  await system?.[Symbol.asyncDispose]();
});

interface Cameras {
  players: Map<string, { name: string; picture: number; ledger: { received: number; duplicated: number } }>;
}
interface Reply {
  n: number;
  faces: { name: string; width: number }[];
}
const look = (room: CentroidRoom, n: number, jpeg: unknown): Promise<Reply> =>
  room.request("see" as never, { n, nonce: n, jpeg } as never, { timeout: 30_000 });

it("finds two faces and gives them names; what is no picture costs its sender an error and nobody else anything", async () => {
  const room = await client.create("vision", {});
  room.onMessage("*", () => undefined);
  expect((await look(room, 1, picture)).faces).toHaveLength(2);
  const { faces } = await look(room, 2, picture);
  expect(new Set(faces.map(({ name }) => name))).toEqual(new Set(["Ada", "Ben"]));
  for (const [jpeg, code, message] of [
    ["words", "BAD_REQUEST", /the bytes of a JPEG/],
    [new Uint8Array(100), "BAD_REQUEST", /a picture is a JPEG/],
    [new Uint8Array(50_000).fill(0xff), "BAD_REQUEST", /at most 40000 bytes/],
    [picture.slice(0, 200), "WORK_FAILED", /not a picture/],
  ] as const)
    await expect(look(room, 3, jpeg)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  expect((await look(room, 3, picture)).faces).toHaveLength(2);
  await room.leave();
});

it.skipIf(!hasChromium)(
  "the page shows faces with names, here and to others, and goes on through a move",
  async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
      const errors: string[] = [];
      const elsewhere: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      const unanswered: string[] = [];
      page.on("console", (line) => {
        if (line.type() === "warning" && line.text().includes("without an answer"))
          unanswered.push(line.text());
      });
      page.on("request", (request) => {
        if (!request.url().startsWith(system.url) && !request.url().startsWith("blob:"))
          elsewhere.push(request.url());
      });
      await page.goto(`${system.url}/see/`);
      const figure = (name: string): Promise<string | null> =>
        page.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]").textContent();
      await page.getByText(/the room, in \w+/).waitFor({ timeout: 60_000 });
      await expect.poll(async () => Number(await figure("answers")), { timeout: 60_000 }).toBeGreaterThan(10);
      const seen = await system.room("vision");
      const watching = await client.joinById<Cameras>(seen.roomId);
      watching.onMessage("*", () => undefined);
      await system.moveAway("vision", ["tokyo", "frankfurt"]);
      await expect.poll(() => figure("moves"), { timeout: 60_000 }).toMatch(/^[1-9]\d* \/ 0$/);
      await expect.poll(() => figure("longest silence"), { timeout: 30_000 }).toMatch(/^\d+ ms$/);
      // A picture now and then shows a face that it does not know.
      await expect.poll(() => figure("faces"), { timeout: 30_000 }).toBe("Ada, Ben");
      await page.getByLabel("in this page").check();
      await page.getByText("this page", { exact: true }).waitFor({ timeout: 30_000 });
      await page.getByLabel("auto").check();
      await expect
        .poll(() => figure("at the edge / in this page"), { timeout: 30_000 })
        .toMatch(/^\d+ ms \/ \d+ ms$/);
      await mkdir(SHOTS, { recursive: true });
      await page.screenshot({ path: join(SHOTS, "see.png") });
      expect(errors).toEqual([]);
      expect(elsewhere).toEqual([]);
      // Each picture has reached the room once, and each was answered; on a full machine one may come too late.
      expect(unanswered.filter((line) => !/timed? ?out|no answer within/i.test(line))).toEqual([]);
      const camera = [...watching.state.players.values()].find(({ name }) => name === "camera");
      expect(camera?.picture).toBeGreaterThan(10);
      expect(camera?.ledger.duplicated).toBe(0);
      const missing = (camera?.picture ?? 0) - (camera?.ledger.received ?? 0);
      expect(missing).toBeLessThanOrEqual(unanswered.length);
    } finally {
      await browser.close();
    }
  },
  120_000,
);
