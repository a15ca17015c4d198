/** Redis that outlives one of its servers: a master with replicas watched by Sentinels, and a cluster of three nodes. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { createClient } from "redis";
import { freePort } from "./free-port.js";
import { RedisProgram } from "./redis-server.js";

const run = promisify(execFile);
export const MASTER_NAME = "centroid";
const SENTINELS = 3;
/** A master that says nothing for so long is replaced. */
export const DOWN_AFTER_MS = 500;

export interface WatchedOptions {
  replicas?: number;
  /** Lines of every server's configuration. */
  servers?: readonly string[];
  /** Of servers, Sentinels and clients. */
  password?: string;
  /** A certificate and its key, which sign themselves: all connections are TLS. */
  tls?: { cert: string; key: string };
}

/** A master, its replicas, three Sentinels. */
export class WatchedRedis implements AsyncDisposable {
  readonly servers: readonly RedisProgram[];
  readonly sentinels: readonly RedisProgram[];
  readonly #password: string | undefined;
  readonly #tls: WatchedOptions["tls"];

  private constructor(servers: RedisProgram[], sentinels: RedisProgram[], { password, tls }: WatchedOptions) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.#password = password;
    this.#tls = tls;
  }

  static async start(options: WatchedOptions = {}): Promise<WatchedRedis> {
    const { replicas = 2, servers = [], password, tls } = options;
    const secure =
      tls === undefined
        ? []
        : [
            `tls-cert-file ${tls.cert}`,
            `tls-key-file ${tls.key}`,
            `tls-ca-cert-file ${tls.cert}`,
            "tls-replication yes",
            "tls-auth-clients no",
          ];
    const secret = password === undefined ? [] : [`requirepass ${password}`, `masterauth ${password}`];
    const common = ["repl-diskless-sync-delay 0", "repl-timeout 10", ...secret, ...secure, ...servers];
    const master = await RedisProgram.start("redis-server", common);
    const all = [master];
    for (let at = 0; at < replicas; at++)
      all.push(await RedisProgram.start("redis-server", [...common, `replicaof 127.0.0.1 ${master.port}`]));
    const watchers: RedisProgram[] = [];
    for (let at = 0; at < SENTINELS; at++)
      watchers.push(
        await RedisProgram.start("redis-sentinel", [
          ...secure,
          `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 2`,
          `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
          `sentinel failover-timeout ${MASTER_NAME} 3000`,
          ...(password === undefined
            ? []
            : [
                `sentinel auth-pass ${MASTER_NAME} ${password}`,
                `requirepass ${password}`,
                `sentinel sentinel-pass ${password}`,
              ]),
        ]),
      );
    const watched = new WatchedRedis(all, watchers, options);
    await until(async () => (await watched.#linked()) === replicas);
    for (const { port } of watchers)
      await until(async () => {
        const [seen = []] = await watched.ask(port, ["SENTINEL", "MASTERS"]);
        const facts = new Map(pairs(seen as string[]));
        return (
          facts.get("num-slaves") === String(replicas) &&
          facts.get("num-other-sentinels") === String(SENTINELS - 1)
        );
      });
    return watched;
  }

  get url(): string {
    const secret = this.#password === undefined ? "" : `:${this.#password}@`;
    const query = this.#password === undefined ? "" : `?sentinelPassword=${this.#password}`;
    const watchers = this.sentinels.map(({ address }) => address).join(",");
    return `redis${this.#tls === undefined ? "" : "s"}+sentinel://${secret}${watchers}/${MASTER_NAME}${query}`;
  }

  /** From now on the replicas get nothing any more, while everybody else still reaches them; needs a password. */
  async holdBack(): Promise<void> {
    const master = await this.master();
    for (const { port } of this.servers)
      if (port !== master.port) await this.ask(port, ["CONFIG", "SET", "masterauth", "another"]);
    await this.ask(master.port, ["CLIENT", "KILL", "TYPE", "replica"]);
  }

  async letGo(): Promise<void> {
    for (const { port } of this.servers)
      await this.ask(port, ["CONFIG", "SET", "masterauth", this.#password ?? ""]);
  }

  /** Whom the Sentinels call the master now. */
  async master(): Promise<RedisProgram> {
    const asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME];
    const [, port] = await this.ask(this.sentinels[0]!.port, asked);
    return this.servers.find((server) => server.port === Number(port))!;
  }

  /** One command to one server. */
  async ask(port: number, command: string[]): Promise<unknown[]> {
    const password = this.#password === undefined ? {} : { password: this.#password };
    const server = { host: "127.0.0.1", port };
    const socket =
      this.#tls === undefined ? server : { ...server, tls: true as const, ca: readFileSync(this.#tls.cert) };
    const client = createClient({ socket, RESP: 2, ...password });
    client.on("error", () => undefined);
    await client.connect();
    const answer = await client.sendCommand(command);
    client.destroy();
    return Array.isArray(answer) ? answer : [answer];
  }

  async #linked(): Promise<number> {
    const [info] = await this.ask(this.servers[0]!.port, ["INFO", "replication"]);
    return String(info).match(/state=online/g)?.length ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((program) => program[Symbol.asyncDispose]()));
  }
}

/** Three masters, each with as many replicas as it is told. */
export class ClusteredRedis implements AsyncDisposable {
  readonly nodes: readonly RedisProgram[];

  private constructor(nodes: RedisProgram[]) {
    this.nodes = nodes;
  }

  static async start(replicas = 0): Promise<ClusteredRedis> {
    const nodes: RedisProgram[] = [];
    for (let at = 0; at < 3 * (1 + replicas); at++)
      nodes.push(
        await RedisProgram.start("redis-server", [
          "cluster-enabled yes",
          `cluster-port ${await freePort()}`,
          "cluster-node-timeout 500",
          "repl-diskless-sync-delay 0",
        ]),
      );
    const addresses = nodes.map(({ address }) => address);
    const more = ["--cluster-replicas", String(replicas), "--cluster-yes"];
    await run("redis-cli", ["--cluster", "create", ...addresses, ...more]);
    const cluster = new ClusteredRedis(nodes);
    for (const { port } of nodes)
      await until(async () => {
        const { stdout } = await run("redis-cli", ["-p", String(port), "CLUSTER", "INFO"]);
        return stdout.includes("cluster_state:ok");
      });
    return cluster;
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ address }) => address).join(",")}`;
  }

  /** The node that a key is on, as the others see it by now. */
  async masterOf(key: string): Promise<RedisProgram> {
    for (const { port } of this.nodes) {
      const ask = (...command: string[]) => run("redis-cli", ["-p", String(port), ...command]);
      try {
        const slot = (await ask("CLUSTER", "KEYSLOT", key)).stdout.trim();
        const lines = (await ask("CLUSTER", "NODES")).stdout.split("\n");
        const holder = lines.find((line) => {
          const [, , flags = "", ...rest] = line.split(" ");
          return (
            /master/.test(flags) &&
            !/fail/.test(flags) &&
            rest.slice(5).some((range) => covers(range, Number(slot)))
          );
        });
        const found = this.nodes.find((node) => holder?.includes(`:${node.port}@`));
        if (found !== undefined) return found;
      } catch {
        // This one is dead; another knows as well.
      }
    }
    throw new Error(`no node has ${key}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

function covers(range: string, slot: number): boolean {
  const [from = Number.NaN, to = from] = range.split("-").map(Number);
  return slot >= from && slot <= to;
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? "", flat[2 * at + 1] ?? ""]);
}

async function until(true_: () => Promise<boolean>): Promise<void> {
  while (!(await true_())) await new Promise((resolve) => setTimeout(resolve, 20));
}
