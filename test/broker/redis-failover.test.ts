/** A master that dies, and what its replica never heard: nothing that was given out is given out again. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ClusterEvents, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import { ClusteredRedis, WatchedRedis } from "../support/redis-groups.js";

const run = promisify(execFile);
const logger = pino({ level: "silent" });
const ROOMS = Array.from({ length: 500 }, (_, at) => `room-${at}`);
const PASSWORD = "test-password";
const TIMEOUT_MS = 120_000;
const patiently = { timeout: 30_000, interval: 20 };

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});
const owned = <T extends AsyncDisposable>(one: T): T => {
  disposables.push(one);
  return one;
};

async function broker(
  url: string,
  brokerId: string,
  message: ClusterEvents["message"] = () => undefined,
): Promise<RedisCluster> {
  const cluster = owned(await RedisCluster.connect({ url, logger }));
  const ignore = (): void => undefined;
  await cluster.join(
    { brokerId, url: `http://${brokerId}` },
    { acquired: ignore, released: ignore, dealt: ignore, message },
  );
  return cluster;
}

const owners = (members: readonly RedisCluster[]): number[] =>
  ROOMS.map((room) => members.filter((member) => member.owns(room)).length);
const settled = (members: readonly RedisCluster[]): Promise<void> =>
  expect.poll(() => owners(members).every((count) => count === 1), patiently).toBe(true);

/** Watches who holds what by which token, from now on. */
function watch(members: Record<string, RedisCluster>) {
  const holders = new Map<string, Set<string>>();
  let twice = 0;
  const look = (): void => {
    for (const room of ROOMS) {
      const holding = Object.entries(members).filter(([, member]) => member.owns(room));
      if (holding.length > 1) twice++;
      for (const [name, member] of holding) {
        const grant = `${room} ${member.tokenOf(room)}`;
        holders.set(grant, (holders.get(grant) ?? new Set()).add(name));
      }
    }
  };
  const timer = setInterval(look, 5);
  return {
    members,
    end() {
      clearInterval(timer);
      return { twice, shared: [...holders].filter(([, names]) => names.size > 1) };
    },
  };
}

it(
  "a promoted replica that lacks the last grants and epochs gives none of them out again",
  async () => {
    const redis = owned(await WatchedRedis.start({ replicas: 1, password: PASSWORD }));
    // Without waiting for replicas: what is lost here has been handed out.
    const url = `${redis.url}&replicas=0`;
    const [a, b] = [await broker(url, "a"), await broker(url, "b")];
    const seen = watch({ a, b });
    await settled([a, b]);
    const connection = owned(await connectRedis(url, logger));
    // It asks as somebody who knows of nothing but the room's first epoch.
    const epochOf = (room: string): Promise<number> => {
      const [owner] = Object.values(seen.members).filter((member) => member.owns(room));
      return new RedisStore(connection, undefined, owner).nextEpoch(room, 1);
    };
    const known = [await epochOf("room-1"), await epochOf("room-2")];
    expect(known).toEqual([2, 2]);
    const master = await redis.master();
    await redis.ask(master.port, ["WAIT", "1", "1000"]);

    await redis.holdBack();
    const lost = [await epochOf("room-1"), await epochOf("room-1"), await epochOf("room-3")];
    expect(lost).toEqual([3, 4, 2]);
    // A newcomer takes its part of what the others had.
    const c = await broker(url, "c");
    seen.members.c = c;
    await expect.poll(() => ROOMS.filter((room) => c.owns(room)).length, patiently).toBeGreaterThan(50);
    await settled([a, b, c]);
    await master.kill();
    await expect.poll(async () => (await redis.master()).port === master.port, patiently).toBe(false);

    await settled([a, b, c]);
    const d = await broker(url, "d");
    seen.members.d = d;
    await settled([a, b, c, d]);
    const given = [
      await epochOf("room-1"),
      await epochOf("room-1"),
      await epochOf("room-3"),
      await epochOf("room-2"),
    ];
    expect(given[0]).toBeGreaterThan(4);
    expect(given[1]).toBe(given[0]! + 1);
    expect(given[2]).toBeGreaterThan(2);
    expect(given[3]).toBeGreaterThan(2);
    expect(seen.end()).toEqual({ twice: 0, shared: [] });
  },
  TIMEOUT_MS,
);

it(
  "what no replica confirms does not count: nobody decides, and no epoch is given, until one does again",
  async () => {
    const redis = owned(await WatchedRedis.start({ replicas: 1, password: PASSWORD }));
    const a = await broker(redis.url, "a");
    await settled([a]);
    const store = new RedisStore(owned(await connectRedis(redis.url, logger)), undefined, a);
    expect(await store.nextEpoch("room-1", 1)).toBe(2);
    await redis.holdBack();
    await expect(store.nextEpoch("room-1", 1)).rejects.toThrow(/0 of 1 replicas of Redis confirm/);
    await expect.poll(() => a.owns("room-1"), patiently).toBe(false);
    await redis.letGo();
    await settled([a]);
    expect(await store.nextEpoch("room-1", 1)).toBeGreaterThan(2);
  },
  TIMEOUT_MS,
);

it(
  "three brokers go on after their master was killed, and after one that only stood still; what one says is heard",
  async () => {
    const redis = owned(await WatchedRedis.start());
    const heard: string[] = [];
    const names = ["a", "b", "c"];
    const members: RedisCluster[] = [];
    for (const name of names)
      members.push(await broker(redis.url, name, ({ body }) => heard.push(`${name} ${String(body)}`)));
    const seen = watch(Object.fromEntries(names.map((name, at) => [name, members[at]!])));
    await settled(members);
    const store = new RedisStore(owned(await connectRedis(redis.url, logger)), undefined, {
      tokenOf: (room) => members.find((member) => member.owns(room))?.tokenOf(room) ?? "",
    });
    const failOver = async (
      word: string,
      stop: (master: Awaited<ReturnType<typeof redis.master>>) => unknown,
    ) => {
      const master = await redis.master();
      await stop(master);
      await expect.poll(async () => (await redis.master()).port === master.port, patiently).toBe(false);
      // Only who holds the room by what the new master has on record is given an epoch.
      await expect.poll(() => store.nextEpoch("room-1", 1).catch(() => 0), patiently).toBeGreaterThan(1);
      await settled(members);
      await expect
        .poll(() => {
          members[0]!.publish("event", word);
          return [`b ${word}`, `c ${word}`].every((line) => heard.includes(line));
        }, patiently)
        .toBe(true);
      return master;
    };
    const first = await failOver("killed", (master) => master.kill());
    await first.start();
    // It follows the new master before that one is stopped as well.
    const follows = async (): Promise<boolean> =>
      String((await redis.ask((await redis.master()).port, ["INFO", "replication"]))[0]).includes(
        "connected_slaves:2",
      );
    await expect.poll(follows, patiently).toBe(true);
    const second = await failOver("stopped", (master) => master.signal("SIGSTOP"));
    second.signal("SIGCONT");
    await expect.poll(follows, patiently).toBe(true);
    await settled(members);
    expect(seen.end()).toEqual({ twice: 0, shared: [] });
  },
  TIMEOUT_MS,
);

it(
  "brokers on a cluster go on when the node that has their keys dies, and when their channel's node does",
  async () => {
    const redis = owned(await ClusteredRedis.start(1));
    const heard: string[] = [];
    const members = [
      await broker(redis.url, "a"),
      await broker(redis.url, "b", ({ body }) => heard.push(String(body))),
    ];
    const seen = watch({ a: members[0]!, b: members[1]! });
    await settled(members);
    const store = new RedisStore(owned(await connectRedis(redis.url, logger)), undefined, {
      tokenOf: (room) => members.find((member) => member.owns(room))?.tokenOf(room) ?? "",
    });
    expect(await store.nextEpoch("room-1", 1)).toBe(2);
    const master = await redis.masterOf("{centroid:}shards");
    await master.kill();
    await expect
      .poll(
        async () => (await redis.masterOf("{centroid:}shards").catch(() => master)).port !== master.port,
        patiently,
      )
      .toBe(true);
    // The promoted one has no replica that could confirm anything.
    await expect.poll(() => owners(members).every((count) => count === 0), patiently).toBe(true);
    await master.start();
    await settled(members);
    await expect.poll(() => store.nextEpoch("room-1", 1).catch(() => 0), patiently).toBeGreaterThan(2);
    await expect
      .poll(() => {
        members[0]!.publish("event", "after");
        return heard.includes("after");
      }, patiently)
      .toBe(true);
    expect(seen.end()).toEqual({ twice: 0, shared: [] });
  },
  TIMEOUT_MS,
);

it("what cannot be reached, or is no master there, is said in one line", async () => {
  const redis = owned(await WatchedRedis.start({ replicas: 0, password: PASSWORD }));
  const refused = (url: string, said: RegExp, code = "CONFIG_INVALID") =>
    expect(connectRedis(url, logger)).rejects.toMatchObject({ code, message: expect.stringMatching(said) });
  await refused(redis.url.replace("/centroid?", "/other?"), /know no master "other"/);
  await refused(redis.url.replace(/\?.*/, ""), /NOAUTH|Authentication/i);
  await refused(redis.url.replace(`:${PASSWORD}@`, ""), /NOAUTH|Authentication/i);
  await refused(
    "redis+sentinel://127.0.0.1:1/centroid",
    /no Redis answers at redis\+sentinel:\/\/127.0.0.1:1\/centroid/,
    "STORE_UNAVAILABLE",
  );
  await refused("redis+cluster://127.0.0.1:1", /no Redis answers at redis\+cluster/, "STORE_UNAVAILABLE");
});

it(
  "TLS to servers and Sentinels, with a password: who trusts their authority gets through, others are told",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-redis-tls-"));
    owned({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert];
    await run("openssl", ["req", "-x509", ...subject, ...made]);
    const redis = owned(await WatchedRedis.start({ replicas: 1, password: PASSWORD, tls: { cert, key } }));
    const script = join(import.meta.dirname, "support/redis-secret.mjs");
    const connect = (url: string, trusted: Record<string, string>) =>
      run(process.execPath, [script, url], { env: { ...process.env, ...trusted } }).then(
        ({ stdout }) => stdout,
        ({ stdout }: { stdout: string }) => stdout,
      );
    const master = await redis.master();
    for (const url of [redis.url, `rediss://:${PASSWORD}@${master.address}`]) {
      expect(await connect(url, { NODE_EXTRA_CA_CERTS: cert })).toBe("kept");
      expect(await connect(url, {})).toMatch(/no Redis answers at rediss.*self-signed/);
    }
  },
  TIMEOUT_MS,
);
