/** The shape of a project that Colyseus' own template for 0.18 makes, in an empty folder, from the public packages. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

const FILES: Record<string, string> = {
  "package.json": '{ "private": true, "type": "module", "scripts": { "start": "tsx watch src/index.ts" } }',
  "tsconfig.json": `{
  "compilerOptions": {
    "outDir": "build", "target": "ESNext", "module": "NodeNext", "moduleResolution": "NodeNext",
    "strict": true, "strictNullChecks": false, "esModuleInterop": true, "skipLibCheck": true,
    "experimentalDecorators": true, "useDefineForClassFields": false
  },
  "include": ["src"]
}`,
  "src/index.ts": `import { listen } from "@colyseus/tools";
import app from "./app.config.js";

listen(app);
`,
  "src/app.config.ts": `import { createEndpoint, createRouter, defineRoom, defineServer, matchMaker, monitor, playground } from "colyseus";
import { MyRoom } from "./rooms/MyRoom.js";

const server = defineServer({
  rooms: { my_room: defineRoom(MyRoom) },

  routes: createRouter({
    api_hello: createEndpoint("/api/hello", { method: "GET" }, async () => ({ message: "hello" })),
    api_add: createEndpoint("/api/add", { method: "POST" }, async ({ body }) => ({ sum: body.a + body.b })),
  }),

  express: (app) => {
    app.get("/hi", (_req, res) => {
      res.send("hi");
    });
    app.get("/open", async (_req, res) => {
      res.json((await matchMaker.query({ name: "my_room" })).length);
    });
    app.use("/monitor", monitor());
    if (process.env.NODE_ENV !== "production") app.use("/", playground());
  },
});

export default server;
`,
  "src/rooms/MyRoom.ts": `import { type Client, type CloseCode, Room } from "colyseus";
import { MyRoomState } from "./schema/MyRoomState.js";

export class MyRoom extends Room<{ state: MyRoomState }> {
  maxClients = 4;
  state = new MyRoomState();

  messages = {
    say: (client: Client, text: string) => {
      this.state.said = text;
      client.send("said", text);
    },
  };

  onCreate() {}

  onJoin(client: Client) {
    this.state.players.add(client.sessionId);
  }

  onLeave(client: Client, _code: CloseCode) {
    this.state.players.delete(client.sessionId);
  }

  onDispose() {}
}
`,
  "src/rooms/schema/MyRoomState.ts": `import { Schema, SetSchema, type } from "@colyseus/schema";

export class MyRoomState extends Schema {
  @type("string") said = "nothing";
  @type({ set: "string" }) players = new SetSchema<string>();
}
`,
};

/** @param changes files that are other than in the template, or gone if empty */
export async function writeTemplateProject(
  folder: string,
  changes: Record<string, string> = {},
): Promise<void> {
  for (const [name, text] of Object.entries({ ...FILES, ...changes })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
}
