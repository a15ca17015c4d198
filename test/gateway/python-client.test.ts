/** A client in another language, of its standard library only, behind a gateway: Colyseus' frames, through moves. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { until } from "../broker/support/world.js";
import { GatewayWorld, PATIENCE_MS } from "./support.js";

const SCRIPT = join(import.meta.dirname, "wire_client.py");
const hasPython = spawnSync("python3", ["--version"]).status === 0;

it.skipIf(!hasPython)(
  "stays through moves, and is sent Colyseus' frames and no other",
  async () => {
    await using world = await GatewayWorld.start();
    const { url } = await world.gateway();
    const child = spawn("python3", [SCRIPT, url, "ledger"], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async () => JSON.parse((await lines.next()).value);
      const { roomId, sessionId, token } = await next();
      expect(token).not.toBe("");
      const said = async (): Promise<number> => (await world.entryOf({ roomId, sessionId }))?.last ?? 0;
      for (let move = 0; move < 4; move++) {
        const before = await said();
        await world.moveAway(roomId);
        await until(async () => (await said()) > before + 10, PATIENCE_MS);
      }
      expect(await world.entryOf({ roomId, sessionId })).toMatchObject({ disorder: 0, connected: true });
      child.stdin.write("leave\n");
      const seen = await next();
      expect(seen).toMatchObject({ disorder: 0, strange: [], closed: 4000 });
      expect(seen.shots).toBeGreaterThan(20);
    } finally {
      child.kill("SIGKILL");
    }
  },
  90_000,
);
