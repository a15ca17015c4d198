/** What strangers call themselves reaches an operator's terminal as text, and a page as data. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { printable, printableValues } from "@centroid/protocol";
import { expect, it } from "vitest";
import { World } from "../broker/support/world.js";

const CLI = join(import.meta.dirname, "../../server/cli/dist/main.js");
const run = promisify(execFile);
/** Clears the screen, renames the window, turns the text around, and C1's way to begin a sequence. */
const EVIL = "\u001b[2J\u001b]0;owned\u0007\u202eadmin\u009b31m\r\n";

it("shows what a terminal would obey", () => {
  expect(printable(EVIL)).toBe("\\u001b[2J\\u001b]0;owned\\u0007\\u202eadmin\\u009b31m\\u000d\\u000a");
  expect(printable("Zoë 東京 🎮 a\u0301")).toBe("Zoë 東京 🎮 a\u0301");
  expect(printableValues({ a: [EVIL, 1, null], [EVIL]: true })).toEqual({
    a: [printable(EVIL), 1, null],
    [printable(EVIL)]: true,
  });
});

it("prints the audit log of one who calls itself a terminal command, as text and as JSON", async () => {
  await using world = await World.start(["a"]);
  await new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${world.broker.adminToken}`,
      "centroid-operator": encodeURIComponent(EVIL),
    };
    request(`${world.broker.url}/api/v1/hosts/a/drain`, { method: "POST", headers }, (response) => {
      response.resume();
      response.on("end", resolve);
    })
      .on("error", reject)
      .end();
  });
  const audit = (...more: string[]) =>
    run(
      process.execPath,
      [CLI, "audit", "--broker", world.broker.url, "--token", world.broker.adminToken, ...more],
      {
        env: { ...process.env, NO_COLOR: "1" },
      },
    );
  const { stdout } = await audit();
  expect(stdout).toContain("\\u001b[2J");
  expect(stdout).not.toMatch(/[^\n\P{Cc}]|\u202e/u);
  const { stdout: json } = await audit("--json");
  expect(json).not.toMatch(/[^\n\P{Cc}]|\u202e/u);
  expect(JSON.parse(json)[0].who.name).toBe(EVIL);
});

it("writes a label of a matrix into a page as data, whatever it looks like", async () => {
  const folder = await mkdtemp(join(tmpdir(), "centroid-page-"));
  const label = "</SCRIPT><script>alert(1)</script><!--";
  const names = [label, ..."bcdefgh"];
  const rows = names.map((_, i) => names.map((_, j) => Math.abs(i - j) * 10).join(";"));
  await writeFile(join(folder, "m.csv"), `${names.join(";")}\n${rows.join("\n")}\n`);
  const html = join(folder, "page.html");
  await run(process.execPath, [
    CLI,
    "simulate",
    "--rtt",
    join(folder, "m.csv"),
    "--html",
    html,
    "--rooms",
    "2",
    "--hosts",
    "3",
    "--players",
    "2-3",
    "--steps",
    "5",
    "--policy",
    "greedy",
  ]);
  const page = await readFile(html, "utf8");
  expect(page).toContain("\\u003c/SCRIPT>");
  expect(page).not.toContain("<script>alert");
  expect(page.match(/<\/script/gi)).toHaveLength(2);
  await rm(folder, { recursive: true });
});
