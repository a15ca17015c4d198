/** A host that is told to end with its rooms elsewhere. */
import { join } from "node:path";
import { startAgent } from "@centroid/agent";
import { expect, it } from "vitest";
import { FakeBroker, TOKEN } from "./fake-broker.js";

it("ends as it was told to where its rooms cannot be asked for, says so, and saves them all the same", async () => {
  await using broker = await FakeBroker.listen();
  const notices: string[] = [];
  const starting = startAgent(
    {
      ...{ brokerUrls: [broker.url], token: TOKEN, hostId: "host", name: "Host" },
      ...{ latitude: 0, longitude: 0, roomsBundle: "none" },
    },
    { program: join(import.meta.dirname, "failing-agent.mjs"), onNotice: (line) => notices.push(line) },
  );
  await broker.accept();
  await broker.said(({ type }) => type === "hello");
  broker.welcome();
  await using agent = await starting;
  await agent.leave(1_000);
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  await expect
    .poll(() => notices)
    .toEqual(
      expect.arrayContaining([
        expect.stringContaining("the room host does not answer"),
        "its rooms are saved",
      ]),
    );
});
