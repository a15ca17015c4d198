/**
 * Two brokers on one Redis: a host that both have lost sight of is heard by one of them while the other one gives its rooms
 * away. Never may it be answered as long as it has a room that another host is told to build (OWN-12).
 */
import {
  type Broker,
  connectRedis,
  RedisCluster,
  RedisStore,
  type Store,
  startBroker,
} from "@centroid/broker";
import { seatReservationSchema } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestRedis } from "../support/redis.js";
import { CountingHost } from "./support/counting-host.js";
import { QUICK, until } from "./support/world.js";

const LONG_MS = 45_000;
const logger = pino({ level: "silent" });
const data = Buffer.from("saved").toString("base64");
/** Each broker has the shards of some of them. */
const SOME_IDS = Array.from({ length: 200 }, (_, n) => `room-${n}`);
const HEARTBEAT = JSON.stringify({ type: "heartbeat", load: 0, rssBytes: 0 });
let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** A room of `lost`, decided about by the first broker, which loses sight of that host together with the second. */
class Deployment {
  static #count = 0;
  readonly #owned = new DisposalStack();
  readonly #prefix = `give-away-${Deployment.#count++}:`;
  /** What the first broker does once it has put another owner on record. */
  onRecorded: () => Promise<void> = async () => undefined;
  decider!: Broker;
  #decides!: RedisCluster;
  other!: Broker;
  lost!: CountingHost;
  spare!: CountingHost;
  roomId = "";

  static async start(): Promise<Deployment> {
    const deployment = new Deployment();
    try {
      await deployment.#start();
      return deployment;
    } catch (cause) {
      await deployment[Symbol.asyncDispose]();
      throw cause;
    }
  }

  async #start(): Promise<void> {
    const decides = await this.#cluster();
    this.#decides = decides;
    const stored = await this.#store(decides);
    const store: Store = new Proxy(stored, {
      get: (target, name) => {
        if (name === "putRoom")
          return async (record: Parameters<Store["putRoom"]>[0]): Promise<void> => {
            await target.putRoom(record);
            if (record.roomId === this.roomId && record.hostId === "spare") await this.onRecorded();
          };
        const method = Reflect.get(target, name) as unknown;
        return typeof method === "function" ? method.bind(target) : method;
      },
    });
    this.decider = this.#owned.use(await startBroker({ ...QUICK, cluster: decides, store }));
    const answers = await this.#cluster();
    // It gives nobody up itself: it only says what it hears.
    const cluster = new Proxy(answers, {
      get: (target, name) => {
        if (name === "reachable") return () => false;
        const method = Reflect.get(target, name) as unknown;
        return typeof method === "function" ? method.bind(target) : method;
      },
    });
    const other = await startBroker({ ...QUICK, cluster, store: await this.#store(answers) });
    this.other = this.#owned.use(other);
    // The first gives shards back once it has heard of the second: later, a room of its own could become the other's.
    await until(() => SOME_IDS.some((id) => answers.owns(id)), LONG_MS);
    const both = [this.decider, this.other];
    this.lost = await CountingHost.start(both, "lost");
    this.#owned.defer(async () => this.lost[Symbol.dispose]());
    await until(() => both.every((broker) => broker.hosts().length === 1), LONG_MS);
    await until(async () => (await this.#make()) !== undefined, LONG_MS);
    this.spare = await CountingHost.start(both, "spare");
    this.#owned.defer(async () => this.spare[Symbol.dispose]());
    await until(() => this.lost.agents.every(({ heard }) => heard > 3), LONG_MS);
  }

  /** A room about which the first broker decides, and which is saved. */
  async #make(): Promise<string | undefined> {
    const response = await fetch(`${this.decider.url}/matchmake/create/arena`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const { roomId } = seatReservationSchema.parse(await response.json());
    if (!this.#decides.owns(roomId)) return undefined;
    this.lost.made(roomId);
    const [agent] = this.lost.agents;
    agent!.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data }));
    await until(() => agent!.checkpointed.length === 1, LONG_MS);
    const knows = (broker: Broker): boolean =>
      broker.events.snapshot().rooms.some((room) => room.roomId === roomId);
    await until(() => knows(this.other), LONG_MS);
    this.roomId = roomId;
    return roomId;
  }

  async #cluster(): Promise<RedisCluster> {
    const cluster = await RedisCluster.connect({ url: redis.url, prefix: this.#prefix, logger });
    return this.#owned.use(cluster);
  }

  async #store(cluster: RedisCluster): Promise<RedisStore> {
    return new RedisStore(this.#owned.use(await connectRedis(redis.url, logger)), this.#prefix, cluster);
  }

  /** When the second broker has read what that host said last. */
  get readAtMs(): number {
    return this.other.hosts().find(({ hostId }) => hostId === "lost")?.lastHeartbeatAtMs ?? 0;
  }

  /** The network lets the second broker hear of the host again; resolves when it has read that. */
  async heardAgain(): Promise<void> {
    const before = this.readAtMs;
    this.lost.agents[1]!.raw(HEARTBEAT);
    await until(() => this.readAtMs > before, LONG_MS);
  }

  /** The first broker dies without a word. */
  async crash(): Promise<void> {
    this.#decides.abandon();
    await this.decider[Symbol.asyncDispose]();
  }

  /** Both brokers hear nothing of the host any more, though its connections hold. */
  silence(): void {
    for (const agent of this.lost.agents) agent.silence();
  }

  get lostHasIt(): boolean {
    return this.lost.agents[0]!.rooms.has(this.roomId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }
}

it(
  "a broker that hears the host just before it is asked again has it let go of the room first",
  async () => {
    await using deployment = await Deployment.start();
    const { lost, spare } = deployment;
    const answered = lost.agents[1]!.heard;
    const ordered = new Promise<boolean>((resolve) => {
      spare.agents[0]!.scripts.set("restoreRoom", () => resolve(deployment.lostHasIt));
    });
    deployment.onRecorded = async () => {
      deployment.onRecorded = async () => undefined;
      await deployment.heardAgain();
    };
    deployment.silence();
    // It was answered: its lease holds. By then it has not got the room.
    expect(await ordered).toBe(false);
    expect(lost.agents[1]!.heard).toBeGreaterThan(answered);
  },
  3 * LONG_MS,
);

it(
  "a broker that has said that it does not hear the host answers it only once it has let go of what was given away",
  async () => {
    await using deployment = await Deployment.start();
    const { lost, spare } = deployment;
    const [, link] = lost.agents;
    const ordered = new Promise<void>((resolve) => {
      // It takes its time: nobody has heard from it that it has the room.
      spare.agents[0]!.scripts.set("restoreRoom", () => {
        resolve();
        return new Promise(() => undefined);
      });
    });
    deployment.silence();
    await ordered;
    const answered = link!.heard;
    await deployment.heardAgain();
    await until(() => link!.heard > answered, LONG_MS);
    expect(deployment.lostHasIt).toBe(false);
    // It is a host like any other again, and was not cut off.
    await deployment.heardAgain();
    await until(() => link!.heard >= answered + 2, LONG_MS);
    expect(link!.connected).toBe(true);
  },
  3 * LONG_MS,
);

it(
  "what a broker that died had put on record is carried out by the one that takes over, at the former host first",
  async () => {
    await using deployment = await Deployment.start();
    const { lost, spare } = deployment;
    const [, link] = lost.agents;
    const orders: string[] = [];
    for (const { agents } of [lost, spare])
      agents[1]!.scripts.set("restoreRoom", () => {
        orders.push(deployment.lostHasIt ? "twice" : "once");
      });
    deployment.onRecorded = async () => {
      deployment.onRecorded = async () => undefined;
      await deployment.crash();
      // Nobody was told: it is a host like any other, and runs the room.
      const answered = link!.heard;
      const beating = setInterval(() => link!.raw(HEARTBEAT), 50);
      await until(() => link!.heard > answered, LONG_MS);
      clearInterval(beating);
      await new Promise(() => undefined);
    };
    deployment.silence();
    await until(() => orders.length > 0, LONG_MS);
    const { roomId, other } = deployment;
    const room = () => other.events.snapshot().rooms.find((each) => each.roomId === roomId);
    await until(() => room()?.state === "running", LONG_MS);
    expect(orders).toEqual(["once"]);
    const owners = [lost, spare].filter(({ agents }) => agents[1]!.rooms.has(roomId));
    expect(owners.map(({ agents }) => agents[1]!.hostId)).toEqual([room()?.hostId]);
  },
  3 * LONG_MS,
);

it(
  "a room whose former copy ended after it was given away is not over for the broker that takes over",
  async () => {
    await using deployment = await Deployment.start();
    const { lost, spare, other } = deployment;
    const { roomId } = deployment;
    const known = () => other.events.snapshot().rooms.find((each) => each.roomId === roomId);
    deployment.onRecorded = async () => {
      deployment.onRecorded = async () => undefined;
      const [, link] = lost.agents;
      const room = link!.rooms.get(roomId)!;
      link!.rooms.delete(roomId);
      link!.tell(room, { event: "disposed" });
      await until(() => known() === undefined, LONG_MS);
      await deployment.crash();
      await new Promise(() => undefined);
    };
    deployment.silence();
    await until(() => known()?.state === "running", LONG_MS);
    const owners = [lost, spare].filter(({ agents }) => agents[1]!.rooms.has(roomId));
    expect(owners.map(({ agents }) => agents[1]!.hostId)).toEqual([known()?.hostId]);
  },
  3 * LONG_MS,
);
