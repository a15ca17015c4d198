/** A project as Colyseus' template makes it, on Colyseus itself and then here, file for file. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Player } from "../support/bare-colyseus.js";
import { freePort } from "../support/free-port.js";
import { Cli } from "../support/run-cli.js";
import { writeTemplateProject } from "../support/template-project.js";

const START_MS = 60_000;

let cli: Cli;
let bareProcess: ChildProcess;
const urls: Record<string, string> = {};

beforeAll(async () => {
  cli = await Cli.create();
  await writeTemplateProject(cli.folder);
  const port = await freePort();
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  bareProcess = spawn(process.execPath, ["--import", tsx, "src/index.ts"], {
    cwd: cli.folder,
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  urls.bare = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${urls.bare}/hi`)).ok).toBe(true), {
    timeout: START_MS,
  });
  const up = cli.start(["up", "--app", "src/app.config.ts", "--hosts", "2", "--port", "0", "--json"]);
  const [, url = ""] = await up.says(/"type":"started","url":"([^"]+)","roomTypes":\["my_room"\]/);
  urls.here = url;
}, 2 * START_MS);
afterAll(async () => {
  bareProcess.kill("SIGKILL");
  await once(bareProcess, "exit");
  await cli[Symbol.asyncDispose]();
});

async function get(path: string, init?: RequestInit): Promise<{ bare: unknown; here: unknown }> {
  const from = async (url: string | undefined): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, { redirect: "manual", ...init });
    const { status, headers } = response;
    const location = headers.get("location");
    return { status, type: headers.get("content-type"), location, text: await response.text() };
  };
  return { bare: await from(urls.bare), here: await from(urls.here) };
}

describe("the project's HTTP side answers as on Colyseus", () => {
  it.each([
    ["a route", "/api/hello", undefined],
    ["a route that is not there", "/api/nothing", undefined],
    ["the express hook", "/hi", undefined],
    ["the match maker in the express hook", "/open", undefined],
    ["the monitor, without its slash", "/monitor", undefined],
    ["the monitor", "/monitor/", undefined],
    ["the playground", "/", undefined],
    ["the playground's list of rooms", "/rooms", undefined],
    ["the playground's list of routes", "/__apidocs", undefined],
    ["a preflight", "/api/hello", { method: "OPTIONS", headers: { origin: "https://elsewhere.example" } }],
    [
      "a body",
      "/api/add",
      { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1,"b":2}' },
    ],
    [
      "a body that is none",
      "/api/add",
      { method: "POST", headers: { "content-type": "application/json" }, body: "{" },
    ],
  ] as [string, string, RequestInit | undefined][])("%s", async (_, path, init) => {
    const { bare, here } = await get(path, init);
    expect(here).toEqual(bare);
  });
});

async function move(roomId: string): Promise<void> {
  const token = (await readFile(join(cli.folder, "state/centroid/admin-token"), "utf8")).trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const hosts = (await (await fetch(`${urls.here}/api/v1/hosts`, { headers })).json()) as {
    hostId: string;
    rooms: number;
  }[];
  const to = hosts.find(({ rooms }) => rooms === 0);
  const response = await fetch(`${urls.here}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers,
    body: JSON.stringify({ hostId: to?.hostId }),
  });
  expect(response.ok, await response.text()).toBe(true);
}

it.each(["bare", "here", "here, after a move"])("its room is played and monitored: %s", async (place) => {
  const url = urls[place === "bare" ? "bare" : "here"] ?? "";
  const room = await new Player(url).joinOrCreate<{ said: string; players: Set<string> }>("my_room");
  const said = new Promise((resolve) => room.onMessage("said", resolve));
  if (place === "here, after a move") await move(room.roomId);
  room.send("say", "good day");
  expect(await said).toBe("good day");
  await expect.poll(() => room.state.said).toBe("good day");
  const { rooms } = (await (await fetch(`${url}/monitor/api`)).json()) as { rooms: { roomId: string }[] };
  expect(rooms.map(({ roomId }) => roomId)).toEqual([room.roomId]);
  const inspected = await (await fetch(`${url}/monitor/api/room?roomId=${room.roomId}`)).json();
  expect(inspected).toMatchObject({
    clients: [{ sessionId: room.sessionId }],
    state: { said: "good day", players: [room.sessionId] },
  });
  expect(await (await fetch(`${url}/open`)).json()).toBe(1);
  await room.leave();
  // The room goes with its last player; the next one has a room of its own.
  await expect.poll(async () => (await fetch(`${url}/open`)).json()).toBe(0);
});

it("the dashboard and its API are beside the project", async () => {
  const page = await fetch(`${urls.here}/dashboard`);
  expect(page.url).toBe(`${urls.here}/dashboard/`);
  expect(await page.text()).toContain("<title>Centroid</title>");
  const hosts = await fetch(`${urls.here}/dashboard/api/v1/hosts`);
  expect(await hosts.json()).toHaveLength(2);
});
