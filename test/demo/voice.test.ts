/** Voice between two people in one page, with the room's part played: offers and answers come when the test lets them. */
import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";

const SOURCE = join(import.meta.dirname, "../../client/demo/web/vr/voice.ts");
/** Where a page may use a microphone. */
const PAGE = "http://localhost:1/";

/** Runs in the page. The one whose id is greater is the one that lets none of its own offers give way. */
async function answerAndOfferAtOnce(): Promise<string> {
  interface Speaker {
    toggle(others: string[]): Promise<boolean>;
    level(id: string): number;
  }
  interface Signal {
    to: string;
    data: string;
  }
  const { Voice } = window as unknown as { Voice: new (room: object) => Speaker };
  const handlers = new Map<string, (message: { from: string; data: string }) => void>();
  const waiting: (Signal & { from: string })[] = [];
  const speaker = (sessionId: string): Speaker =>
    new Voice({
      sessionId,
      onMessage: (_type: string, handler: (message: { from: string; data: string }) => void) =>
        handlers.set(sessionId, handler),
      send: (_type: string, signal: Signal) => waiting.push({ ...signal, from: sessionId }),
    });
  const deliver = (to: string): void => {
    for (const signal of waiting.splice(0)) {
      if (signal.to === to) handlers.get(to)?.(signal);
      else waiting.push(signal);
    }
  };
  const has = (from: string, type: string): boolean =>
    waiting.some((each) => each.from === from && JSON.parse(each.data).description?.type === type);
  const until = async (ready: () => boolean): Promise<void> => {
    while (!ready()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const [ann, zoe] = [speaker("ann"), speaker("zoe")];
  await zoe.toggle(["ann"]);
  await until(() => has("zoe", "offer"));
  deliver("ann");
  await until(() => has("ann", "answer"));
  // She begins to speak before her answer has got there: what she says then comes right behind it.
  await ann.toggle(["zoe"]);
  await until(() => has("ann", "offer"));
  deliver("zoe");
  await until(() => {
    for (const id of ["ann", "zoe"]) deliver(id);
    return ann.level("zoe") > 0.01 && zoe.level("ann") > 0.01;
  });
  return "both";
}

it.skipIf(!hasChromium)(
  "who begins to speak while an answer is on its way is heard",
  async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { Voice } from ${JSON.stringify(SOURCE)}; window.Voice = Voice;`,
        resolveDir: import.meta.dirname,
      },
      bundle: true,
      write: false,
      format: "iife",
    });
    const browser = await launchChromium([
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
    ]);
    try {
      const page = await browser.newPage();
      await page.route(PAGE, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
      await page.goto(PAGE);
      await page.addScriptTag({ content: outputFiles[0]!.text });
      expect(await page.evaluate(answerAndOfferAtOnce)).toBe("both");
    } finally {
      await browser.close();
    }
  },
  60_000,
);
