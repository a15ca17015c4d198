/**
 * The program that gives a container its memory: whatever happens to it, nobody reads zeros where a page is missing. On
 * the kernel's userfaultfd, with a small process in place of what criu restores.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileProgram } from "@centroid/agent";
import { criuProblem } from "@centroid/container-carrier";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  PAGE_BYTES,
  pagemapName,
  renderPageMap,
} from "../../infra/container-carrier/dist/criu/page-images.js";
import { LazyPages } from "../../infra/container-carrier/dist/memory/lazy-pages.js";
import { laterName } from "../../infra/container-carrier/dist/memory/page-places.js";

const problem = process.getuid?.() === 0 ? await criuProblem() : "needs root";
if (problem !== undefined) console.log(`skipped: pages of a process that runs already (${problem})`);

const PID = 7;
const FIRST_PAGE = 0x20_000;
const PAGES = 200;
const ARRIVED = 100;
const SOON = { timeout: 30_000, interval: 5 };

describe.skipIf(problem !== undefined)("a process that lacks memory", () => {
  let folder: string;
  let program: string;
  let lacking: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "centroid-lazy-"));
    const native = join(import.meta.dirname, "../../infra/container-carrier/native/lazy-pages.c");
    program = await compileProgram(native, folder, ["-static"]);
    lacking = await compileProgram(join(import.meta.dirname, "../fixtures/lazy-process.c"), folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  interface Started {
    readonly pages: LazyPages;
    readonly victim: ChildProcess;
    /** First bytes of the pages that it has read. */
    readonly read: () => Buffer;
    /** Process ids of the program: the one that keeps, and the one that gives. */
    readonly keeper: number;
    readonly giver: number;
    readonly fill: (at: number, count: number) => void;
    readonly end: Promise<NodeJS.Signals | null>;
    readonly note: () => void;
  }

  /** Until it waits for the first page that has not come. */
  async function start(name: string): Promise<Started> {
    const [work, images] = [join(folder, name), join(folder, name, "images")];
    mkdirSync(images, { recursive: true });
    const runs = [{ firstPage: FIRST_PAGE, pages: PAGES, where: "later", lazy: true }] as const;
    writeFileSync(join(images, pagemapName(PID)), renderPageMap({ id: 1, runs }));
    const pages = new LazyPages({
      program,
      images,
      work,
      onWanted: () => undefined,
    });
    onTestFinished(() => pages[Symbol.asyncDispose]());
    pages.failure().catch(() => undefined);
    pages.tell(0);
    const file = openSync(join(images, laterName(PID)), "r+");
    const fill = (at: number, count: number): void => {
      for (let page = at; page < at + count; page++)
        writeSync(file, Buffer.alloc(PAGE_BYTES, 1 + (page % 200)), 0, PAGE_BYTES, page * PAGE_BYTES);
      pages.arrived(PID, at, count);
    };
    const args = [work, String(FIRST_PAGE * PAGE_BYTES), String(PAGES)];
    const victim = spawn(lacking, args, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void victim.kill("SIGKILL"));
    const end = new Promise<NodeJS.Signals | null>((resolve) => victim.once("close", (_, by) => resolve(by)));
    let read = Buffer.alloc(0);
    victim.stdout?.on("data", (data: Buffer) => {
      read = Buffer.concat([read, data]);
    });
    fill(0, ARRIVED);
    await expect.poll(() => read.length, SOON).toBe(ARRIVED);
    const keeper = pages.processId ?? 0;
    const giver = Number(readFileSync(`/proc/${keeper}/task/${keeper}/children`, "utf8"));
    expect(giver).toBeGreaterThan(0);
    const note = (): void => writeFileSync(join(work, "pid"), String(victim.pid));
    return { pages, victim, read: () => read, keeper, giver, fill, end, note };
  }

  const expected = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, (_, at) => 1 + (at % 200)));

  it("gets all of it", async () => {
    const { pages, read, fill, note } = await start("all");
    note();
    fill(ARRIVED, PAGES - ARRIVED);
    await pages.complete();
    await expect.poll(() => read().length, SOON).toBe(PAGES);
    expect(read().equals(expected(PAGES))).toBe(true);
  });

  it.each(["keeper", "giver"] as const)("ends without a zero when the %s is killed", async (which) => {
    const started = await start(which);
    started.note();
    process.kill(started[which], "SIGKILL");
    expect(await started.end).toBe("SIGKILL");
    expect(started.read().equals(expected(ARRIVED))).toBe(true);
    await expect(started.pages.complete()).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
  });

  it("ends without a zero when the agent lets go of it", async () => {
    const { pages, read, end, note } = await start("agent");
    note();
    await pages[Symbol.asyncDispose]();
    expect(await end).toBe("SIGKILL");
    expect(read().equals(expected(ARRIVED))).toBe(true);
  });

  it("waits when who gives is killed before anybody knows which container that is, and ends then", async () => {
    const { pages, read, giver, end, note } = await start("early");
    process.kill(giver, "SIGKILL");
    await expect(pages.failure()).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
    expect(pages.isHeld()).toBe(true);
    expect(read().equals(expected(ARRIVED))).toBe(true);
    note();
    expect(await end).toBe("SIGKILL");
    expect(read().equals(expected(ARRIVED))).toBe(true);
  });
});
