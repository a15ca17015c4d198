/** What decides about a container's move without any container: offers, versions, predictions, settings, the wire. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { containerSettingsSchema } from "../../infra/container-carrier/dist/base/config.js";
import { roomUser } from "../../infra/container-carrier/dist/container/room-user.js";
import { isRecentEnough } from "../../infra/container-carrier/dist/criu/criu.js";
import { SentPages } from "../../infra/container-carrier/dist/memory/sent-pages.js";
import {
  ImageReceiver,
  sendFolder,
  sendPages,
} from "../../infra/container-carrier/dist/migration/image-files.js";
import {
  dialDestination,
  type ImageWire,
  listenForImages,
  toDestinationSchema,
} from "../../infra/container-carrier/dist/migration/image-wire.js";
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
  expect(predictor.choose(25e6)).toBe("stop-and-copy");
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
    const { signal } = new AbortController();
    const sending = sendFolder(source, join(folder, "from")).then(() => source.send({ type: "restore" }));
    const { moveId, wire } = await arrived;
    expect(moveId).toBe("m1");
    const listed = await wire.receive(toDestinationSchema, signal);
    if (listed.type !== "images") throw new Error(`${listed.type} came first`);
    await new ImageReceiver(0).folder(wire, listed, join(folder, "to"), signal);
    expect(await wire.receive(toDestinationSchema, signal)).toEqual({ type: "restore" });
    await sending;
    expect((await readdir(join(folder, "to"))).sort()).toEqual(["empty.img", "pages-1.img"]);
    expect((await readFile(join(folder, "to", "pages-1.img"))).equals(pages)).toBe(true);
  });

  it("carries memory ahead, and then only the pages that differ", async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-wire-"));
    cleanUp.push(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "from"));
    await mkdir(join(folder, "to"));
    const page = (content: number): Buffer => Buffer.alloc(4_096, content);
    // Address, pages; as criu writes them.
    await writeFile(
      join(folder, "from", "pagemap-2.img"),
      pageMap(7, [
        [16, 3],
        [64, 2],
      ]),
    );
    const now = [page(1), page(9), page(3), page(5), page(8)];
    await writeFile(join(folder, "from", "pages-7.img"), Buffer.concat(now));
    const { port, arrived } = await pair();
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    cleanUp.push(() => source[Symbol.dispose]());
    const { signal } = new AbortController();
    const sent = new SentPages();
    const ahead = [
      sent.add(2, { firstPage: 16, bytes: Buffer.concat([page(1), page(2), page(3)]) }),
      sent.add(2, { firstPage: 64, bytes: page(4) }),
      // It has changed meanwhile, and then no more.
      sent.add(2, { firstPage: 64, bytes: page(5) }),
      sent.add(2, { firstPage: 64, bytes: page(5) }),
    ];
    expect(ahead.map((bytes) => bytes?.length)).toEqual([3 * 4_096, 4_096, 4_096, undefined]);
    await sendPages(
      source,
      ahead.filter((bytes) => bytes !== undefined),
    );
    const before = source.bytesSent;
    await sendFolder(source, join(folder, "from"), sent);
    const { wire } = await arrived;
    const receiver = new ImageReceiver(5 * 4_096);
    const pages = await wire.receive(toDestinationSchema, signal);
    if (pages.type !== "pages") throw new Error(`${pages.type} came first`);
    await receiver.pages(wire, pages, signal);
    await expect(receiver.pages(wire, { type: "pages", bytes: 4_096 }, signal)).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
    const listed = await wire.receive(toDestinationSchema, signal);
    if (listed.type !== "images") throw new Error(`${listed.type} came next`);
    await receiver.folder(wire, listed, join(folder, "to"), signal);
    expect((await readFile(join(folder, "to", "pages-7.img"))).equals(Buffer.concat(now))).toBe(true);
    expect(source.bytesSent - before).toBeGreaterThan(2 * 4_096);
    expect(source.bytesSent - before).toBeLessThan(3 * 4_096);
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
      stranger.write('{"type":"images","files":[]}\n');
    });
    const source = await dialDestination(`tcp://127.0.0.1:${port}`, "m1", secret);
    source[Symbol.dispose]();
    expect((await arrived).moveId).toBe("m1");
  });

  it("takes no file whose name leads out of the folder", () => {
    const files = [{ name: "../passwd", bytes: 1 }];
    expect(toDestinationSchema.safeParse({ type: "images", files }).success).toBe(false);
  });
});

/** A `pagemap-PID.img` of pages in `pages-ID.img`; numbers below 128 are bytes in protobuf. */
function pageMap(id: number, runs: readonly (readonly [page: number, count: number])[]): Buffer {
  const message = (...bytes: number[]): Buffer => Buffer.from([bytes.length, 0, 0, 0, ...bytes]);
  const magic = Buffer.alloc(8);
  magic.writeUInt32LE(0x54564319, 0);
  magic.writeUInt32LE(0x56084025, 4);
  // Addresses are 4,096 times that: seven bits a byte, lowest first.
  const entries = runs.map(([page, count]) =>
    message(0x08, 0x80, 0x80 | ((page << 5) & 127), page >> 2, 0x10, count),
  );
  return Buffer.concat([magic, message(0x08, id), ...entries]);
}
