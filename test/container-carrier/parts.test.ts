/** What decides about a container's move without any container: offers, versions, predictions, settings, the wire. */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { containerSettingsSchema } from "../../infra/container-carrier/dist/base/config.js";
import { roomUser } from "../../infra/container-carrier/dist/container/room-user.js";
import { isRecentEnough } from "../../infra/container-carrier/dist/criu/criu.js";
import {
  PAGE_BYTES,
  type PageRun,
  pagemapName,
  pagesName,
  renderPageMap,
} from "../../infra/container-carrier/dist/criu/page-images.js";
import { decode } from "../../infra/container-carrier/dist/criu/protobuf.js";
import { laterName, lazyPages } from "../../infra/container-carrier/dist/memory/page-places.js";
import { SentPages } from "../../infra/container-carrier/dist/memory/sent-pages.js";
import { ImageReceiver, sendFolder } from "../../infra/container-carrier/dist/migration/image-files.js";
import {
  dialDestination,
  fileOf,
  type ImageWire,
  listenForImages,
  toDestinationSchema,
  toSourceSchema,
} from "../../infra/container-carrier/dist/migration/image-wire.js";
import { LaterPages } from "../../infra/container-carrier/dist/migration/later-pages.js";
import {
  containerMisfit,
  offeredPlace,
  readContainerOffer,
} from "../../infra/container-carrier/dist/migration/offer.js";
import { ContainerPredictor } from "../../infra/container-carrier/dist/migration/predict.js";

const secret = "ab".repeat(32);
const place = offeredPlace({ root: "/state/root-1234", network: "10.80.0.0/16" }, 0);

describe("an offer", () => {
  it("fits a container of the same root, whatever folder that is in", () => {
    const there = offeredPlace({ root: "/elsewhere/root-1234", network: "10.80.0.0/16" }, 0);
    expect(
      containerMisfit(place, "b", readContainerOffer(JSON.stringify({ ...there, secret }))),
    ).toBeUndefined();
  });

  it.each([
    ["root", "root-5678", /version of Node/],
    ["user", 65_534, /CAP_SYS_RESOURCE/],
    ["network", "10.81.0.0/16", /container\.json/],
    ["architecture", "other", /architectures/],
  ])("does not fit where %s differs, and says what to make equal", (key, value, remedy) => {
    const offer = readContainerOffer(JSON.stringify({ ...place, secret, [key]: value }));
    expect(containerMisfit(place, "b", offer)).toMatch(remedy);
  });

  it("that is none does not fit", () => {
    expect(containerMisfit(place, "b", readContainerOffer("none"))).toMatch(/another version/);
  });
});

it.each([
  ["3.17.1", false],
  ["4.1.1", false],
  ["4.2", true],
  ["4.2.1", true],
  ["5.0", true],
  ["unknown", false],
])("criu %s is recent enough: %s", (version, enough) => {
  expect(isRecentEnough(version)).toBe(enough);
});

it("rooms are nobody's where criu can ask for nobody's limits, else root without capabilities", () => {
  expect(roomUser("CapEff:\t000001ffffffffff\n")).toBe(65_534);
  expect(roomUser("CapEff:\t000001fffeffffff\n")).toBe(0);
});

it("a prediction comes nearer to what moves take", () => {
  const predictor = new ContainerPredictor();
  const predict = (bytes: number) => predictor.predict("precopy", bytes);
  expect(predictor.choose(25e6)).toBe("precopy");
  const first = predict(25e6);
  for (let move = 0; move < 10; move++) predictor.learn("precopy", predict(25e6), 400, 30e6);
  expect(Math.abs(predict(25e6).totalMs - 400)).toBeLessThan(Math.abs(first.totalMs - 400) / 5);
  expect(predict(50e6).totalMs).toBeGreaterThan(predict(25e6).totalMs);
  // That these hosts are slow is known of every way.
  expect(predictor.choose(25e6)).toBe("precopy");
  const other = "stop-and-copy";
  for (let move = 0; move < 10; move++) predictor.learn(other, predictor.predict(other, 25e6), 200, 30e6);
  expect(predictor.choose(25e6)).toBe(other);
});

describe("settings of a host", () => {
  const good = {
    bridge: "br0",
    network: "10.80.0.0/16",
    addresses: { from: "10.80.16.1", to: "10.80.16.200" },
    peerAddress: "10.80.0.11",
  };

  it("have defaults for what nobody needs to say", () => {
    expect(containerSettingsSchema.parse(good)).toMatchObject({ memoryMebibytes: 512, cpus: 1, peerPort: 0 });
  });

  it.each([
    [{ network: "10.80.0.0/31" }, /bits/],
    [{ addresses: { from: "10.81.0.1", to: "10.81.0.2" } }, /must lie within/],
    [{ addresses: { from: "10.80.16.2", to: "10.80.16.1" } }, /comes after/],
    [{ gateway: "10.90.0.1" }, /cannot reach it/],
    [{ peerAddress: "10.80.16.1" }, /is in use \(peerAddress\)/],
  ])("%j are refused", (change, why) => {
    expect(containerSettingsSchema.safeParse({ ...good, ...change }).error?.issues[0]?.message).toMatch(why);
  });
});

describe("the wire between two agents", () => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  async function pair(): Promise<{ port: number; arrived: Promise<{ moveId: string; wire: ImageWire }> }> {
    let arrive: (arrival: { moveId: string; wire: ImageWire }) => void = () => undefined;
    const arrived = new Promise<{ moveId: string; wire: ImageWire }>((resolve) => {
      arrive = resolve;
    });
    const listener = await listenForImages(
      "127.0.0.1",
      0,
      (moveId) => (moveId === "m1" ? secret : undefined),
      (moveId, wire) => arrive({ moveId, wire }),
    );
    cleanUp.push(() => listener[Symbol.asyncDispose]());
    return { port: listener.port, arrived };
  }

  it("carries files byte for byte, and answers", async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-wire-"));
    cleanUp.push(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "from"));
    await mkdir(join(folder, "to"));
    const pages = Buffer.alloc(3_000_000, "pages\n");
    await writeFile(join(folder, "from", "pages-1.img"), pages);
    await writeFile(join(folder, "from", "empty.img"), "");
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    const sending = sendFolder(source, join(folder, "from")).then(() =>
      source.send({ type: "restore", ahead: 0, lazy: false }),
    );
    const { moveId, wire } = await arrived;
    expect(moveId).toBe("m1");
    expect(await receiveAll(wire, join(folder, "to"), pages.length)).toBe(0);
    await sending;
    expect((await readdir(join(folder, "to"))).sort()).toEqual(["empty.img", "pages-1.img"]);
    expect((await readFile(join(folder, "to", "pages-1.img"))).equals(pages)).toBe(true);
  });

  it("carries memory ahead, and then only the pages that differ", async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-wire-"));
    cleanUp.push(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "from"));
    await mkdir(join(folder, "to"));
    const page = (content: number): Buffer => Buffer.alloc(PAGE_BYTES, content);
    const run = (firstPage: number, pages: number) =>
      ({ firstPage, pages, where: "here", lazy: false }) as const;
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    using sent = new SentPages(join(folder, "sent"));
    const rounds = [
      // The last of these has gone by the next round.
      [
        [16, page(1), page(2), page(3)],
        [64, page(4)],
        [80, page(6)],
      ],
      // One has changed, one is new.
      [
        [16, page(1), page(2), page(3)],
        [64, page(5), page(7)],
      ],
    ] as const;
    for (const [at, runs] of rounds.entries()) {
      const round = sent.begin();
      const fresh = runs.map(([firstPage, ...pages]) =>
        Buffer.concat(round.add(2, { firstPage, bytes: Buffer.concat(pages as Buffer[]) })),
      );
      expect(fresh.map(({ length }) => length / PAGE_BYTES)).toEqual(at === 0 ? [3, 1, 1] : [0, 2]);
      await source.sendFiles(at + 1, [fileOf(pagesName(2), Buffer.concat(fresh))]);
      const runsOfRound = round.runs.get(2) ?? [];
      await source.sendFiles(at + 1, [fileOf(pagemapName(2), renderPageMap({ id: 2, runs: runsOfRound }))]);
      sent.end(round);
    }
    const now = [page(1), page(9), page(3), page(5), page(8), page(6)];
    const map = { id: 7, runs: [run(16, 3), run(64, 2), run(80, 1)] };
    await writeFile(join(folder, "from", pagemapName(2)), renderPageMap(map));
    await writeFile(join(folder, "from", pagesName(7)), Buffer.concat(now));
    const before = source.bytesSent;
    await sendFolder(source, join(folder, "from"), sent);
    source.send({ type: "restore", ahead: 2, lazy: false });
    const { wire } = await arrived;
    expect(await receiveAll(wire, join(folder, "to"), 20 * PAGE_BYTES)).toBe(2);
    expect(readAsCriu(join(folder, "to"), map.runs).equals(Buffer.concat(now))).toBe(true);
    expect(source.bytesSent - before).toBeGreaterThan(3 * PAGE_BYTES);
    expect(source.bytesSent - before).toBeLessThan(4 * PAGE_BYTES);
  });

  it("lets pages follow a room that runs, those it waits for first", async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-wire-"));
    cleanUp.push(() => rm(folder, { recursive: true }));
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    await mkdir(from);
    await mkdir(to);
    const page = (content: number): Buffer => Buffer.alloc(PAGE_BYTES, content);
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    using sent = new SentPages(join(folder, "sent"));
    // Twice, so that some are in the first round and some in the second.
    for (const [at, content] of [
      [1, 2, 3],
      [1, 20, 3],
    ].entries()) {
      const round = sent.begin();
      const bytes = Buffer.concat(round.add(2, { firstPage: 16, bytes: Buffer.concat(content.map(page)) }));
      await source.sendFiles(at + 1, [fileOf(pagesName(2), bytes)]);
      const runs = round.runs.get(2) ?? [];
      await source.sendFiles(at + 1, [fileOf(pagemapName(2), renderPageMap({ id: 2, runs }))]);
      sent.end(round);
    }
    const count = 100;
    const contents = [1, 20, 4, ...Array.from({ length: count - 3 }, (_, at) => at + 30)];
    const runs = [
      { firstPage: 16, pages: count, where: "here", lazy: true },
      { firstPage: 500, pages: 1, where: "here", lazy: false },
    ] as const;
    await writeFile(join(from, pagemapName(2)), renderPageMap({ id: 7, runs }));
    await writeFile(join(from, pagesName(7)), Buffer.concat([...contents, 255].map(page)));
    const later = new LaterPages();
    await sendFolder(source, from, sent, later);
    source.send({ type: "restore", ahead: 2, lazy: true });
    const { wire } = await arrived;
    const { signal } = new AbortController();
    using receiver = new ImageReceiver(to, 2 * count * PAGE_BYTES);
    for (let rest = true; rest; ) {
      const said = await wire.receive(toDestinationSchema, signal);
      if (said.type === "files") await receiver.receive(wire, said, signal);
      else rest = false;
    }
    receiver.end(2);
    // What criu restores itself is there at once, and only that.
    expect(readFileSync(join(to, pagesName(7))).equals(page(255))).toBe(true);
    const placed = [...lazyPages(to, 2)];
    expect(placed).toEqual([
      { pid: 2, round: 1, id: 2, firstPage: 16, pages: 1, at: 0 },
      { pid: 2, round: 2, id: 2, firstPage: 17, pages: 1, at: 0 },
      { pid: 2, round: 0, id: 0, firstPage: 18, pages: count - 2, at: 0 },
    ]);
    await writeFile(join(to, laterName(2)), Buffer.alloc((count - 2) * PAGE_BYTES));
    later.want(2, 90);
    const sending = later.send(source, signal).then(() => source.send({ type: "all" }));
    const came: number[] = [];
    for (let rest = true; rest; ) {
      const said = await wire.receive(toDestinationSchema, signal);
      if (said.type !== "pages") rest = false;
      else {
        await receiver.receivePages(wire, said, signal);
        came.push(...Array.from({ length: said.count }, (_, index) => said.at + index));
      }
    }
    await sending;
    expect(came[0]).toBe(90);
    expect([...came].sort((a, b) => a - b)).toEqual(Array.from({ length: count - 2 }, (_, at) => at));
    expect(readFileSync(join(to, laterName(2))).equals(Buffer.concat(contents.slice(2).map(page)))).toBe(
      true,
    );
  });

  it("takes no more memory than a room may have", async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-wire-"));
    cleanUp.push(() => rm(folder, { recursive: true }));
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    await source.sendFiles(1, [fileOf(pagesName(2), Buffer.alloc(2 * PAGE_BYTES))]);
    const { wire } = await arrived;
    await expect(receiveAll(wire, folder, PAGE_BYTES)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  it("ends at once for a source whose destination has refused", async () => {
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    const { wire } = await arrived;
    wire.end({ type: "refused", message: "no space", ran: false });
    const { signal } = new AbortController();
    expect(await source.receive(toSourceSchema, signal)).toEqual({
      type: "refused",
      message: "no space",
      ran: false,
    });
    const goOn = async (): Promise<never> => {
      for (;;) await source.sendFiles(1, [fileOf("pages-1.img", Buffer.alloc(1 << 20))]);
    };
    await expect(goOn()).rejects.toMatchObject({ code: "HOST_LOST" });
  });

  it.each([
    ["another secret", "m1", "cd".repeat(32)],
    ["a move that is not expected", "m2", secret],
  ])("refuses %s", async (_, moveId, key) => {
    const { port } = await pair();
    await expect(dialDestination(`tcp://127.0.0.1:${port}`, moveId, key)).rejects.toMatchObject({
      code: "HOST_LOST",
    });
  });

  it("is not spoken in the clear, and does not end by what is no TLS", async () => {
    const { port, arrived } = await pair();
    const stranger = connect(port, "127.0.0.1");
    await new Promise((resolve) => {
      stranger.on("error", () => undefined).once("close", resolve);
      stranger.write('{"type":"files","round":0,"files":[]}\n');
    });
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    source[Symbol.dispose]();
    expect((await arrived).moveId).toBe("m1");
  });

  it("takes no file whose name leads out of the folder", () => {
    const files = [{ name: "../passwd", bytes: 1 }];
    expect(toDestinationSchema.safeParse({ type: "files", round: 0, files }).success).toBe(false);
  });
});

/** @returns how many rounds of memory came ahead of the last files */
async function receiveAll(wire: ImageWire, folder: string, mostBytes: number): Promise<number> {
  const { signal } = new AbortController();
  using receiver = new ImageReceiver(folder, mostBytes);
  for (;;) {
    const said = await wire.receive(toDestinationSchema, signal);
    if (said.type === "files") await receiver.receive(wire, said, signal);
    else if (said.type !== "restore") throw new Error(`unexpected: ${said.type}`);
    else {
      receiver.end(said.ahead);
      return said.ahead;
    }
  }
}

/** Pages of process 2, each from the first folder that has it: this one, the parent it names, and so on. */
function readAsCriu(folder: string, runs: readonly PageRun[]): Buffer {
  const pages: Buffer[] = [];
  for (const { firstPage, pages: count } of runs)
    for (let page = firstPage; page < firstPage + count; page++) pages.push(pageIn(folder, page));
  return Buffer.concat(pages);
}

function pageIn(folder: string, wanted: number): Buffer {
  const bytes = readFileSync(join(folder, pagemapName(2)));
  let at = 0;
  for (const { page, inParent } of pagesOf(bytes)) {
    if (page === wanted && inParent) return pageIn(join(folder, "parent"), wanted);
    if (page === wanted) {
      const content = readFileSync(join(folder, pagesName(folder.endsWith("to") ? 7 : 2)));
      return content.subarray(at, at + PAGE_BYTES);
    }
    if (!inParent) at += PAGE_BYTES;
  }
  throw new Error(`${folder} has no page ${wanted}`);
}

/** Of a `pagemap-PID.img`: two numbers, then messages behind their lengths; the first only names the file of pages. */
function* pagesOf(bytes: Buffer): Generator<{ page: number; inParent: boolean }> {
  expect([bytes.readUInt32LE(0), bytes.readUInt32LE(4)]).toEqual([0x54564319, 0x56084025]);
  for (let at = 8 + 4 + bytes.readUInt32LE(8); at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    const entry = decode(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)));
    for (let page = 0; page < Number(entry.get(5)); page++)
      yield { page: Number(entry.get(1)) / PAGE_BYTES + page, inParent: entry.get(4) === 1 };
  }
}
