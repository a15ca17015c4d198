/** The room that sees: it finds faces and knows them again, and what is no picture is refused with words. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DemoSystem } from "../support/demo-system.js";

let system: DemoSystem;
let client: CentroidClient;
let picture: Uint8Array;
beforeAll(async () => {
  system = await DemoSystem.start();
  client = new CentroidClient(system.url, { probing: false });
  picture = new Uint8Array(await readFile(join(import.meta.dirname, "../../client/bots/data/faces.jpg")));
}, 60_000);
afterAll(async () => {
  client?.dispose();
  await system?.[Symbol.asyncDispose]();
});

interface Reply {
  n: number;
  faces: { name: string; width: number }[];
}
const look = (room: CentroidRoom, n: number, jpeg: unknown): Promise<Reply> =>
  room.request("see" as never, { n, nonce: n, jpeg } as never, { timeout: 30_000 });

it("finds two faces and gives them names; what is no picture costs its sender an error and nobody else anything", async () => {
  const room = await client.create("vision", {});
  room.onMessage("*", () => undefined);
  expect((await look(room, 1, picture)).faces).toHaveLength(2);
  const { faces } = await look(room, 2, picture);
  expect(new Set(faces.map(({ name }) => name))).toEqual(new Set(["Ada", "Ben"]));
  for (const [jpeg, code, message] of [
    ["words", "BAD_REQUEST", /the bytes of a JPEG/],
    [new Uint8Array(100), "BAD_REQUEST", /a picture is a JPEG/],
    [new Uint8Array(50_000).fill(0xff), "BAD_REQUEST", /at most 40000 bytes/],
    [picture.slice(0, 200), "WORK_FAILED", /not a picture/],
  ] as const)
    await expect(look(room, 3, jpeg)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  expect((await look(room, 3, picture)).faces).toHaveLength(2);
  await room.leave();
});
