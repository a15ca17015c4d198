/** What may stand behind --redis, and what is said of what may not. */
import { describe, expect, it } from "vitest";
import { parseRedisAddress, shownAddress } from "../../server/broker/dist/redis/address.js";
import { loadConfig } from "../../server/cli/dist/config/config.js";

const at = (host: string, port: number) => ({ host, port });

it("one server, with TLS, user, password and database", () => {
  expect(parseRedisAddress("redis://localhost")).toMatchObject({
    kind: "single",
    nodes: [at("localhost", 6379)],
    tls: false,
    replicas: 0,
  });
  expect(parseRedisAddress("rediss://ada:p%40ss@[::1]:7000/2")).toMatchObject({
    nodes: [at("::1", 7000)],
    tls: true,
    username: "ada",
    password: "p@ss",
    database: 2,
  });
});

it("a master that Sentinels know by its name, and a cluster", () => {
  expect(
    parseRedisAddress("redis+sentinel://:secret@a,b:5000,c/main/1?sentinelPassword=other&replicas=2"),
  ).toMatchObject({
    kind: "sentinel",
    nodes: [at("a", 26_379), at("b", 5000), at("c", 26_379)],
    name: "main",
    database: 1,
    username: undefined,
    password: "secret",
    sentinelPassword: "other",
    replicas: 2,
  });
  expect(parseRedisAddress("rediss+cluster://a:1,b")).toMatchObject({
    kind: "cluster",
    nodes: [at("a", 1), at("b", 6379)],
    tls: true,
    replicas: 1,
  });
});

describe("what is wrong is said, with what to do and without the password", () => {
  const wrong: [string, RegExp][] = [
    ["redis://:secret@a,b", /several servers; write redis\+sentinel:.*redis\+cluster:/],
    ["redis+sentinel://:secret@a,b", /lacks the name .*host2\/NAME/],
    ["redis+sentinel://:secret@a/main/x", /database must be a number, not "x"/],
    ["redis+cluster://:secret@a/1", /no databases but 0/],
    ["redis+sentinel://:secret@a/main?replica=1", /unknown parameter "replica"; known: replicas,/],
    ["redis://:secret@a?replicas=all", /replicas must be a number/],
    ["redis://:secret@a:99999", /port that is none: 99999/],
    ["redis+cluster://:secret@a,,b", /host that is none: ""/],
    ["redis://:secret%zz@a", /% that encodes nothing/],
    ["http://:secret@a", /must look like redis:\/\/host:port, redis\+sentinel/],
    ["", /must look like redis:\/\/host:port/],
  ];
  it.each(wrong)("%s", async (text, said) => {
    const loading = loadConfig({ redis: text }, { cwd: "/", env: {} });
    await expect(loading).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(said),
    });
    await expect(loading).rejects.not.toMatchObject({ message: expect.stringMatching(/secret/) });
  });
});

it("an address is shown without what is secret in it", () => {
  expect(shownAddress(parseRedisAddress("rediss+sentinel://u:p@a,b:5/main?sentinelPassword=s"))).toBe(
    "rediss+sentinel://a:26379,b:5/main",
  );
});
