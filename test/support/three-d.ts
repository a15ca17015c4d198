/**
 * 3D pages without a graphics card. Software drawing takes both cores, a frame takes 130 ms, and everything else on
 * the page waits for it; so a page draws only when a picture of it is taken, and its frame loop turns ten times a
 * second instead of sixty. The loop itself, its WebGL calls and the scene are the real ones.
 */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { launchChromium } from "./chromium.js";

/** WebGL without a graphics card. */
const SOFTWARE_3D = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];

/** @param more switches of Chromium beyond the usual ones */
export function launch3d(more: readonly string[] = []): Promise<Browser> {
  return launchChromium([...SOFTWARE_3D, ...more]);
}

const FRAME_MS = 100;

/** A context whose pages are slow at showing themselves, and draw nothing until {@link picture}. */
export async function context3d(browser: Browser, options: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  await context.addInitScript((frameMs) => {
    const nextFrame = window.requestAnimationFrame.bind(window);
    const waiting = new Map<number, number>();
    let handles = 0;
    window.requestAnimationFrame = (callback) => {
      const handle = ++handles;
      const timer = window.setTimeout(() => {
        waiting.delete(handle);
        nextFrame(callback);
      }, frameMs);
      waiting.set(handle, timer);
      return handle;
    };
    window.cancelAnimationFrame = (handle) => {
      window.clearTimeout(waiting.get(handle));
      waiting.delete(handle);
    };
    const gl = WebGL2RenderingContext.prototype as unknown as Record<string, (...given: unknown[]) => void>;
    for (const call of [
      "clear",
      "drawArrays",
      "drawArraysInstanced",
      "drawElements",
      "drawElementsInstanced",
    ]) {
      const real = gl[call]!;
      gl[call] = function (this: unknown, ...given: unknown[]) {
        if ("drawing" in window) real.apply(this, given);
      };
    }
  }, FRAME_MS);
  return context;
}

/** A screenshot of what the page looks like to people with a graphics card. */
export async function picture(page: Page, path: string): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((drawn) => {
        Object.assign(window, { drawing: true });
        // The frame under way may be half of nothing; the one after it is whole.
        requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => drawn())));
      }),
  );
  await page.screenshot({ path, timeout: 60_000 });
  await page.evaluate(() => void Reflect.deleteProperty(window, "drawing"));
}
