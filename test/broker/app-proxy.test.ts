/** Requests for a project's own routes: which host gets them, what it is told, and what happens while none is there. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { closeServer } from "../support/close-server.js";
import { until, World } from "./support/world.js";

class Project implements AsyncDisposable {
  readonly asked: IncomingMessage[] = [];
  readonly #server = createServer((request, response) => {
    this.asked.push(request);
    if (request.url === "/never") return;
    response.writeHead(201, [...["Set-Cookie", "a=1"], ...["Set-Cookie", "b=2"]]);
    request.pipe(response);
  });

  static async start(): Promise<Project> {
    const project = new Project();
    project.#server.listen(0, "127.0.0.1");
    await once(project.#server, "listening");
    return project;
  }

  get app(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeServer(this.#server);
  }
}

it("are carried whole, with who really asks", async () => {
  await using project = await Project.start();
  await using world = await World.start([], { app: true });
  await world.host("a", { hello: { app: project.app } });
  const response = await fetch(`${world.broker.url}/shop/buy?item=1`, {
    method: "POST",
    headers: { "x-forwarded-for": "9.9.9.9", "content-type": "text/odd" },
    body: "a sword",
  });
  expect(response.status).toBe(201);
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  // Pages of the project have the policy that it gives them.
  expect(response.headers.get("content-security-policy")).toBe(null);
  expect(await response.text()).toBe("a sword");
  const [asked] = project.asked;
  expect(asked).toMatchObject({ method: "POST", url: "/shop/buy?item=1" });
  expect(asked?.headers).toMatchObject({
    host: new URL(world.broker.url).host,
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "content-type": "text/odd",
  });
});

it("are not those that the broker answers", async () => {
  await using project = await Project.start();
  await using world = await World.start([], { app: true });
  await world.host("a", { hello: { app: project.app } });
  for (const path of ["/healthz", "/readyz", "/api/v1/hosts", "/centroid/v1/beacons", "/openapi.json"])
    expect((await fetch(`${world.broker.url}${path}`)).status, path).toBe(200);
  expect(project.asked).toEqual([]);
});

it("go to one host while it is there, then to another, and say so while there is none", async () => {
  await using first = await Project.start();
  await using second = await Project.start();
  await using world = await World.start([], { app: true });
  const ask = async (): Promise<number> => (await fetch(`${world.broker.url}/page`)).status;
  expect(await ask()).toBe(503);
  await world.host("b", { hello: { app: first.app } });
  expect(await ask()).toBe(201);
  await world.host("a", { hello: { app: second.app } });
  // It stays where it is: what a project keeps in memory is there.
  expect(await ask()).toBe(201);
  expect(first.asked).toHaveLength(2);
  world.agent("b").disconnect();
  await until(async () => (await ask()) === 201 && second.asked.length > 0);
  world.agent("a").disconnect();
  await until(async () => (await ask()) === 503);
});

it("end there when the caller goes away", async () => {
  await using project = await Project.start();
  await using world = await World.start([], { app: true });
  await world.host("a", { hello: { app: project.app } });
  const leaving = new AbortController();
  const asked = fetch(`${world.broker.url}/never`, { signal: leaving.signal });
  asked.catch(() => undefined);
  await until(() => project.asked.length === 1);
  leaving.abort();
  await until(() => project.asked[0]?.destroyed === true);
});

it("never lead to an address that an agent elsewhere may not name", async () => {
  await using world = await World.start([], { app: true });
  await expect(world.host("a", { hello: { app: "169.254.169.254:80" } })).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
});
