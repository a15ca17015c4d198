/** The dashboard on the live system, in a real browser: a migration is seen to happen. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { ADMIN_TOKEN, LiveSystem } from "../support/live-system.js";

const DIST = join(import.meta.dirname, "../../client/dashboard/dist");
const SHOT = join(import.meta.dirname, "../artifacts/live-migration.png");

it.skipIf(!hasChromium)(
  "shows hosts, rooms and a move as it happens; asks nobody else for anything",
  async () => {
    await using live = await LiveSystem.start({ dashboardDir: DIST });
    const client = await live.player("ada", "tokyo", { location: { latitude: 35.68, longitude: 139.69 } });
    const room = await client.create("ledger");
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      const elsewhere: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(live.broker.url) && !request.url().startsWith("data:"))
          elsewhere.push(request.url());
      });
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await page.goto(live.broker.url);
      for (const name of ["Frankfurt", "Virginia", "Tokyo"]) await page.getByText(name).first().waitFor();
      await page.getByText("emulated", { exact: false }).first().waitFor();
      const moved = new Promise((resolve) => void room.onMigrate(resolve));
      expect(
        (await live.post(`/rooms/${room.roomId}/move`, { hostId: "frankfurt" }, ADMIN_TOKEN)).status,
      ).toBe(200);
      await moved;
      const feed = page.getByText(/Tokyo\s*→\s*Frankfurt/).first();
      await feed.waitFor();
      await page
        .getByText(/freeze/i)
        .first()
        .waitFor();
      await mkdir(dirname(SHOT), { recursive: true });
      await page.screenshot({ path: SHOT });
      expect(elsewhere).toEqual([]);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
    await room.leave();
  },
);
