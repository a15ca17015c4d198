/** The dashboard in a browser, with every request and console error written down. */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { createGlobe } from "../../client/dashboard/src/map/globe.js";

const ARTIFACTS = fileURLToPath(new URL("../artifacts/dashboard/", import.meta.url));

export { launchChromium as launch } from "../support/chromium.js";

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** Every URL the page asked for, sockets included. */
  readonly requests: readonly string[];
  readonly errors: readonly string[];
  /** Where a place is on the unzoomed map, in pixels of the page: what the page's own projection says. */
  onMap(place: { latitude: number; longitude: number }): Promise<{ x: number; y: number }>;
  /** Kept in test/artifacts for people to look at. */
  screenshot(name: string): Promise<void>;
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
    timezoneId: "UTC",
    ...options,
  });
  // Far beyond what any step takes on a busy machine; a failure says what was awaited.
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const requests: string[] = [];
  const errors: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  return {
    page,
    requests,
    errors,
    onMap: async (place) => {
      const box = await page.getByRole("application").boundingBox();
      if (!box) throw new Error("the map is not shown");
      const at = createGlobe(box.width, box.height)([place.longitude, place.latitude]);
      if (!at) throw new Error("that place is not on the map");
      return { x: box.x + at[0], y: box.y + at[1] };
    },
    screenshot: async (name) => {
      await mkdir(ARTIFACTS, { recursive: true });
      await page.screenshot({ path: `${ARTIFACTS}${name}.png` });
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}
