/** A page over real TLS in Chromium: page, API, room and beacons on one origin, through a move of the room. */
import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { LiveSystem } from "../support/live-system.js";
import { selfSigned } from "../support/tls-front.js";

interface Page {
  room: { roomId: string; sessionId: string; host: { hostId: string }; pingMs: number };
  moves: { lost: number; duplicated: number }[];
  sent: number;
  entry(): { count: number; disorder: number; last: number } | undefined;
}
type PageWindow = typeof globalThis & { page: Page };

const PAGE = `
import { CentroidClient } from "@centroid/sdk";
const page = globalThis.page = { moves: [], sent: 0, entry: () => page.room.state.entries.get(page.room.sessionId) };
page.room = await new CentroidClient(location.origin, { probing: { intervalMs: 300 } }).joinOrCreate("ledger");
page.room.onMigrate((move) => page.moves.push({ lost: move.lost, duplicated: move.duplicated }));
setInterval(() => page.room.send("say", ++page.sent), 20);
`;

it.skipIf(!hasChromium)(
  "joins, moves and stays connected over wss on the page's own origin",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-tls-page-"));
    const tls = selfSigned(folder);
    const stdin = { contents: PAGE, resolveDir: import.meta.dirname };
    await build({
      stdin,
      bundle: true,
      format: "esm",
      outfile: join(folder, "pages/page.js"),
      logLevel: "error",
    });
    await writeFile(join(folder, "pages/index.html"), '<script type="module" src="page.js"></script>');
    await using system = await LiveSystem.start({ autoMove: false, tls, pagesDir: join(folder, "pages") });
    const { publicKey } = new X509Certificate(await readFile(tls.certFile));
    const spki = createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("base64");
    // Trusts this certificate and no other.
    const browser = await launchChromium([`--ignore-certificate-errors-spki-list=${spki}`]);
    try {
      const page = await (await browser.newContext()).newPage();
      const dialled: string[] = [];
      page.on("websocket", (socket) => dialled.push(socket.url()));
      await page.goto(`https://127.0.0.1:${system.broker.port}/index.html`);
      await page.waitForFunction(() => (globalThis as PageWindow).page?.room !== undefined, undefined, {
        timeout: 30_000,
      });
      const { roomId, hostId } = await page.evaluate(() => {
        const { room } = (globalThis as PageWindow).page;
        return { roomId: room.roomId, hostId: room.host.hostId };
      });
      const { body } = await system.post(`/rooms/${roomId}/move`, {
        hostId: hostId === "tokyo" ? "virginia" : "tokyo",
      });
      expect(body).toMatchObject({ outcome: "completed", messagesLost: 0 });
      await page.waitForFunction(
        () => {
          const { moves, sent, room, entry } = (globalThis as PageWindow).page;
          return moves.length === 1 && sent > 50 && !Number.isNaN(room.pingMs) && (entry()?.last ?? 0) > 50;
        },
        undefined,
        { timeout: 30_000 },
      );
      const seen = await page.evaluate(() => {
        const { moves, entry } = (globalThis as PageWindow).page;
        return { moves, disorder: entry()?.disorder, inOrder: entry()?.count === entry()?.last };
      });
      expect(seen).toMatchObject({ moves: [{ lost: 0, duplicated: 0 }], disorder: 0, inOrder: true });
      expect(new Set(dialled.map((url) => new URL(url).origin))).toEqual(
        new Set([`wss://127.0.0.1:${system.broker.port}`]),
      );
    } finally {
      await browser.close();
      await rm(folder, { recursive: true });
    }
  },
  120_000,
);
