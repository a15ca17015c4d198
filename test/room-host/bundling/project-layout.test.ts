/** The folder of rooms of an ordinary Colyseus project: it works as it is, or the start names the file that does not. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { bundleApp, bundleRooms } from "@centroid/room-host/bundling";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../../..");
const ROOM = 'import { Room } from "@colyseus/core";\n';

let project: string;
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "centroid-layout-"));
});
afterEach(() => rm(project, { recursive: true, force: true }));

async function write(files: Record<string, string | Buffer>): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(project, name)), { recursive: true });
    await writeFile(join(project, name), text);
  }
  return join(project, "rooms");
}

const bundle = (rooms: string) => bundleRooms(rooms, join(project, "cache"));

/** What `rooms[type].say()` gives in a process of its own, as a room host loads it. */
async function say(path: string, type: string): Promise<string> {
  const script = `import(${JSON.stringify(pathToFileURL(path).href)}).then(({ rooms }) => rooms[${JSON.stringify(type)}].say()).then(console.log)`;
  const { stdout } = await run(process.execPath, ["-e", script]);
  return stdout.trim();
}

describe("room types", () => {
  it("are named exports, by their own names", async () => {
    const rooms = await write({
      "rooms/MyRoom.ts": 'import { Room } from "colyseus";\nexport class MyRoom extends Room {}',
      "rooms/duel.ts": `${ROOM}export default class Duel extends Room {}`,
    });
    expect((await bundle(rooms)).roomTypes).toEqual(["duel", "MyRoom"]);
  });

  it("are not the helpers and base classes beside them", async () => {
    const rooms = await write({
      "rooms/damage.ts": "export function damage() {}",
      "rooms/state.ts": "export default class State {}",
      "rooms/base.ts": `${ROOM}export abstract class BaseRoom extends Room {}`,
      "rooms/duel.ts": `import { BaseRoom } from "./base";\nimport { damage } from "./damage";\nexport default class Duel extends BaseRoom { onCreate() { damage(); } }`,
    });
    expect((await bundle(rooms)).roomTypes).toEqual(["duel"]);
  });

  it("are those that an index exports, itself or from another file", async () => {
    const rooms = await write({
      "rooms/index.ts": 'export { Duel } from "./duel";\nexport class Rules {}',
      "rooms/duel.ts": `${ROOM}export class Duel extends Room {}\nexport class Other extends Room {}`,
    });
    expect((await bundle(rooms)).roomTypes).toEqual(["Duel"]);
  });

  it("are definitions, too", async () => {
    const rooms = await write({
      "rooms/index.ts": `import { defineRoom, Room } from "@colyseus/core";\nclass Duel extends Room {}\nexport const duel = defineRoom(Duel).filterBy(["mode"] as never[]);`,
    });
    expect((await bundle(rooms)).roomTypes).toEqual(["duel"]);
  });

  it("may be written with decorators where the project's tsconfig allows them", async () => {
    const rooms = await write({
      "tsconfig.json":
        '{ "compilerOptions": { "experimentalDecorators": true, "useDefineForClassFields": false } }',
      "rooms/duel.ts": `${ROOM}import { Schema, type } from "@colyseus/schema";
class State extends Schema { @type("number") round = 7; }
export default class Duel extends Room { static say() { return JSON.stringify(new State().toJSON()); } }`,
    });
    const { path } = await bundle(rooms);
    expect(await say(path, "duel")).toBe('{"round":7}');
  });
});

describe("files beside the rooms", () => {
  it.each([
    ["import.meta.url", 'readFileSync(new URL("./maze.txt", import.meta.url), "utf8")'],
    ["import.meta.dirname", 'readFileSync(import.meta.dirname + "/maze.txt", "utf8")'],
    ["__dirname", 'readFileSync(__dirname + "/maze.txt", "utf8")'],
  ])("are found by %s", async (_, code) => {
    const rooms = await write({
      "rooms/maze.txt": "a maze",
      "rooms/maze.ts": `${ROOM}import { readFileSync } from "node:fs";\nexport default class Maze extends Room { static say() { return ${code}; } }`,
    });
    const { path } = await bundle(rooms);
    expect(await say(path, "maze")).toBe("a maze");
  });

  it("are found by a CommonJS package that looks beside itself", async () => {
    const rooms = await write({
      "node_modules/model/package.json": '{ "name": "model", "main": "index.js" }',
      "node_modules/model/data.txt": "a model",
      "node_modules/model/index.js":
        'module.exports = require("fs").readFileSync(require("path").join(__dirname, "data.txt"), "utf8");',
      "rooms/model.ts": `${ROOM}import model from "model";\nexport default class Model extends Room { static say() { return model; } }`,
    });
    const { path } = await bundle(rooms);
    expect(await say(path, "model")).toBe("a model");
  });

  it("may be native code", async () => {
    const addon = join(ROOT, "node_modules/lmdb");
    const rooms = await write({
      "rooms/store.ts": `${ROOM}import { open } from ${JSON.stringify(join(addon, "index.js"))};
export default class Store extends Room { static say() { const db = open({ path: ${JSON.stringify(join(project, "db"))} }); db.putSync("a", "kept"); return db.get("a"); } }`,
    });
    const { path } = await bundle(rooms);
    expect(await say(path, "store")).toBe("kept");
  });
});

describe("what is wrong is said at the start, with the file", () => {
  it.each([
    [
      "does not compile",
      { "rooms/duel.ts": "export default class {" },
      /do not compile: .*rooms\/duel\.ts:1: /,
    ],
    [
      "imports a file that is not there",
      { "rooms/duel.ts": `${ROOM}import "./missing";\nexport default class extends Room {}` },
      /do not compile: .*rooms\/duel\.ts:2: .*missing/,
    ],
    [
      "throws while it loads",
      { "rooms/duel.ts": `${ROOM}\nthrow new Error("no luck");\nexport default class extends Room {}` },
      /do not load: .*rooms\/duel\.ts:3: no luck/,
    ],
    [
      "throws in a helper",
      {
        "rooms/duel.ts": `${ROOM}import "./rules";\nexport default class extends Room {}`,
        "rooms/rules.ts": 'export const rules = JSON.parse("{");',
      },
      /do not load: .*rooms\/rules\.ts:1: /,
    ],
    ["ends the process", { "rooms/duel.ts": "process.exit(3);" }, /do not load: .*code 3/],
    [
      "has no room",
      { "rooms/duel.ts": "export default class Duel {}" },
      /no class that extends Room of @colyseus\/core is exported by duel\.ts/,
    ],
    [
      "declares weights that mean nothing",
      { "rooms/duel.ts": `${ROOM}export default class extends Room { static weights = "Equal"; }` },
      /do not load: room "duel": static weights must be "equal", or left out/,
    ],
    [
      "declares work that is none",
      { "rooms/duel.ts": `${ROOM}export default class extends Room { static work = { perSecond: 10 }; }` },
      /do not load: room "duel": static work must be \{ msPerRequest, perSecond \}/,
    ],
    [
      "has a room that another has",
      {
        "rooms/a.ts": `${ROOM}export class Duel extends Room {}`,
        "rooms/b.ts": `${ROOM}export class Duel extends Room {}`,
      },
      /a\.ts and b\.ts both have a room "Duel"/,
    ],
  ] as [string, Record<string, string>, RegExp][])("a file %s", async (_, files, message) => {
    const rooms = await write(files);
    await expect(bundle(rooms)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message),
    });
  });
});

describe("a project with a server of its own", () => {
  const SERVER =
    'import { defineRoom, defineServer, Room } from "@colyseus/core";\nclass Duel extends Room {}\n';
  const app = async (code: string, file = "src/app.config.ts") => {
    await write({ [file]: code });
    return bundleApp(join(project, file), join(project, "cache"));
  };

  it("has the room types that it defines, in each of Colyseus' ways", async () => {
    const { roomTypes } = await app(`${SERVER}
const server = defineServer({ rooms: { duel: defineRoom(Duel) } });
server.define("later", Duel).filterBy(["mode"]);
export default server;`);
    expect(roomTypes).toEqual(["later", "duel"]);
    const older = await app(
      `${SERVER}export default { initializeGameServer: (server) => void server.define("duel", Duel) };`,
    );
    expect(older.roomTypes).toEqual(["duel"]);
  });

  it("may be CommonJS, with one copy of Colyseus for all", async () => {
    const { roomTypes, path } = await app(
      `const { defineRoom, defineServer, Room, matchMaker } = require("@colyseus/core");
class Duel extends Room { static say() { return JSON.stringify(Object.keys(matchMaker.getAllHandlers())); } }
module.exports = defineServer({ rooms: { duel: Duel } });
matchMaker.defineRoomType("known", Duel);`,
      "src/app.config.js",
    );
    expect(roomTypes).toEqual(["known", "duel"]);
    expect(await say(path, "duel")).toBe('["known"]');
  });

  it("is told at the start which of its settings have no effect", async () => {
    const { notices } = await app(
      `${SERVER}import { LocalPresence } from "@colyseus/core";
export default defineServer({ rooms: { duel: defineRoom(Duel) }, presence: new LocalPresence() });`,
    );
    expect(notices).toEqual(["app.config.ts: presence of the server has no effect here"]);
  });

  it.each([
    [
      "exports no server",
      `${SERVER}export const server = 1;`,
      /do not load: app\.config\.ts exports no server/,
    ],
    ["has no rooms", `${SERVER}export default defineServer({ rooms: {} });`, /app\.config\.ts .*no rooms/],
    ["throws", `${SERVER}\n\nthrow new Error("no luck");`, /do not load: .*src\/app\.config\.ts:5: no luck/],
    ["does not compile", "export default {", /do not compile: .*src\/app\.config\.ts:1: /],
    [
      "has an express hook without express",
      `${SERVER}export default defineServer({ rooms: { duel: defineRoom(Duel) }, express: () => {} });`,
      /app\.config\.ts has an express hook, but the package express cannot be loaded/,
    ],
  ])("is refused if it %s", async (_, code, message) => {
    await expect(app(code)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("is refused if it is not there", async () => {
    await expect(bundleApp(join(project, "src/app.config.ts"), join(project, "cache"))).rejects.toMatchObject(
      { message: expect.stringContaining("--app src/app.config.ts") },
    );
  });
});
