/** The TypeScript in README and docs/ compiles against the built packages, and the agent example starts an agent. */
import { execFile } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startBroker } from "@centroid/broker";
import { expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const OUT = join(ROOT, "test/artifacts/docs");

it("every TypeScript block compiles", async () => {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  const files = [
    "README.md",
    ...(await readdir(join(ROOT, "docs")))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];
  let count = 0;
  for (const file of files) {
    for (const { language, code } of codeBlocks(join(ROOT, file))) {
      if (language !== "ts") continue;
      // Methods shown on their own belong into a room.
      const whole = /^(import|export|const|await)/m.test(code)
        ? code
        : `import { Room } from "@colyseus/core";\nexport class Shown extends Room {\n  round = 0;\n${code}}\n`;
      await writeFile(join(OUT, `block-${count++}.mts`), whole);
    }
  }
  expect(count).toBeGreaterThan(3);
  await writeFile(
    join(OUT, "tsconfig.json"),
    JSON.stringify({
      extends: "../../../tsconfig.base.json",
      compilerOptions: {
        composite: false,
        noEmit: true,
        noImplicitOverride: false,
        // Some blocks are for a page.
        lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable"],
      },
      include: ["*.mts"],
    }),
  );
  const { stdout } = await exec("npx", ["tsc", "-p", OUT], { cwd: ROOT }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});

it("the agent example of docs/configuration.md joins a broker", async () => {
  await using broker = await startBroker({ port: 0, agentToken: "documented-agent-token" });
  const block = codeBlocks(join(ROOT, "docs/configuration.md")).find(({ code }) =>
    code.includes("startAgent"),
  );
  const code = (block?.code ?? "")
    .replace("ws://broker.example:2567", broker.url.replace("http", "ws"))
    .replace("./rooms", join(ROOT, "test/fixtures/rooms"))
    .replace("./.centroid/rooms", join(OUT, "rooms"))
    .replace("0.0.0.0", "127.0.0.1")
    .replace("fra-1.example", "127.0.0.1");
  const script = join(OUT, "agent.mts");
  await mkdir(OUT, { recursive: true });
  await writeFile(script, `${code}\nprocess.exit(0);\n`);
  const joined = new Promise<string>((resolve) => {
    broker.events.subscribe((event) => {
      if (event.type === "host") resolve(event.host.hostId);
    });
  });
  await exec(process.execPath, ["--import", "tsx", script], {
    cwd: ROOT,
    env: { ...process.env, CENTROID_AGENT_TOKEN: "documented-agent-token" },
  });
  expect(await joined).toBe("fra-1");
});
