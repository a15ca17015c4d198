/** The game page in a real browser: two players in one room, sent to another city, and the room comes after them. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { Cli } from "../support/run-cli.js";

const SHOTS = join(import.meta.dirname, "../artifacts");

it.skipIf(!hasChromium)(
  "the overlay shows the distance and the move, and the room comes after both players",
  async () => {
    await using cli = await Cli.create();
    const up = cli.start(["up", "--port", "0", "--emulate", "--hosts", "4"]);
    const [, url = ""] = await up.says(/(http:\S+)/);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await page.goto(`${url}/play/`);
      const huds = page.locator("centroid-hud");
      await huds.nth(1).waitFor({ timeout: 60_000 });
      // SERVER, BY, PING, JITTER of the second window.
      const shown = (index: number): Promise<string | null> =>
        huds.nth(1).locator("dd").nth(index).textContent();
      const ping = async (): Promise<number> => Number.parseFloat((await shown(2)) ?? "");
      // First measurements may have put the room anywhere.
      await expect.poll(() => shown(0), { timeout: 240_000 }).not.toBe("TOKYO");
      await expect.poll(ping, { timeout: 60_000 }).toBeGreaterThan(0);
      for (const name of ["Ana", "Ben"]) await page.getByLabel(`${name} is in`).selectOption("tokyo");
      await expect.poll(() => shown(0), { timeout: 240_000 }).toBe("TOKYO");
      await expect.poll(ping, { timeout: 60_000 }).toBeLessThan(90);
      // What it sees now is nearly what is: it hits by itself, in the second window too.
      await page
        .getByText(/[1-9]\d* of the last \d+ hit/)
        .nth(1)
        .waitFor({ timeout: 45_000 });
      await page.mouse.move(400, 300);
      await page.getByText("you aim; click to shoot").waitFor();
      await mkdir(SHOTS, { recursive: true });
      await page.screenshot({ path: join(SHOTS, "play.png") });
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
    await up.kill("SIGINT");
  },
  600_000,
);
