/**
 * Two hosts that share nothing but the network, each with an agent started by the command of the documentation and a state
 * folder of its own; broker and player are in a third place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { Lab, parseTopology } from "@centroid/emulation";
import { type Receipt, receiptSchema } from "@centroid/protocol";
import { expect } from "vitest";
import { type CodeBlock, codeBlocks } from "./markdown.js";
import { Cli, type RunningCli } from "./run-cli.js";

const ADMIN_TOKEN = "admin-token-of-own-hosts";
const AGENT_TOKEN = "agent-token-of-own-hosts";
export const OWN_HOSTS = ["left", "right"] as const;
export type OwnHostId = (typeof OWN_HOSTS)[number];
export const otherHost = (hostId: OwnHostId): OwnHostId => (hostId === "left" ? "right" : "left");

interface Heard {
  roomId: string;
  sent: number;
  heard: number;
  inOrder: boolean;
  sameConnection: boolean;
  left: number[];
}

export interface OwnHostsOptions {
  name: string;
  kind: "machines" | "containers";
  /** A page of the documentation, and of which of its files, and which option of the command, a host's settings are. */
  page: string;
  file: string;
  option: string;
  /** What a command has to begin with to run at that host. */
  at: (lab: Lab, hostId: OwnHostId) => Promise<string[]>;
}

export class OwnHosts implements AsyncDisposable {
  readonly cli: Cli;
  readonly lab: Lab;
  /** Where broker and player are. */
  readonly place: string[];
  readonly agents = new Map<OwnHostId, RunningCli>();
  /** Ended after the agents. */
  readonly parts: AsyncDisposable[] = [];
  readonly #options: OwnHostsOptions;
  readonly #documented: CodeBlock[];
  #url = "";
  #player: ChildProcess | undefined;
  #last: Heard | undefined;

  private constructor(options: OwnHostsOptions, cli: Cli, lab: Lab) {
    this.#options = options;
    this.#documented = codeBlocks(join(import.meta.dirname, "../../docs", options.page));
    this.cli = cli;
    this.lab = lab;
    this.place = ["ip", "netns", "exec", lab.sites[0]?.namespace ?? ""];
  }

  /** The hosts; no agent runs there. */
  static async start(options: OwnHostsOptions): Promise<OwnHosts> {
    const { name, kind } = options;
    const cli = await Cli.create();
    await cli.roomsStay();
    const hosts = OWN_HOSTS.map((hostId) => ({ name: hostId }));
    const topology = parseTopology({ hosts, sites: [{ name: "players" }] });
    try {
      return new OwnHosts(options, cli, await Lab.up(topology, { name, kind }));
    } catch (cause) {
      await cli[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** @param args of `centroid up`, beside where it listens and keeps its state */
  async startBroker(...args: string[]): Promise<void> {
    const { cli, place, lab } = this;
    await writeFile(join(cli.folder, "agent-token"), AGENT_TOKEN);
    const own = ["--bind-host", lab.sites[0]?.address ?? "", "--state-dir", join(cli.folder, "broker")];
    const tokens = { CENTROID_TOKEN: ADMIN_TOKEN, CENTROID_AGENT_TOKEN: AGENT_TOKEN };
    const up = cli.start(["up", ...args, "--hosts", "0", "--port", "0", ...own, "--json"], tokens, place);
    const [, started = ""] = await up.says(/^(\{"type":"started".*\})$/m);
    this.#url = (JSON.parse(started) as { url: string }).url;
  }

  /** A host's own folder. */
  folder(hostId: OwnHostId): string {
    return join(this.cli.folder, hostId);
  }

  /** Writes the documentation's file with what differs from host to host. @returns its path */
  async writeSettings(hostId: OwnHostId, changes: object): Promise<string> {
    const { file } = this.#options;
    const block = this.#documented.find(({ title }) => title === file);
    const path = join(this.folder(hostId), file);
    const third = hostId === "left" ? 16 : 17;
    const settings = {
      ...(JSON.parse(block?.code ?? "{}") as object),
      network: "10.77.0.0/16",
      addresses: { from: `10.77.${third}.1`, to: `10.77.${third}.100` },
      ...changes,
    };
    await writeFile(path, JSON.stringify(settings));
    return path;
  }

  /** The documentation's command, with what is this host's. */
  #agentArgs(hostId: OwnHostId, settings: string): string[] {
    const block = this.#documented.find(({ code }) => code.includes("centroid agent"));
    const words = (block?.code ?? "").replaceAll("\\\n", " ").trim().split(/\s+/);
    const { address } = this.lab.host(hostId);
    const values: Record<string, string> = {
      "--broker": this.#url.replace("http", "ws"),
      "--token-file": join(this.cli.folder, "agent-token"),
      "--host-id": hostId,
      "--rooms": DEMO_ROOMS_DIR,
      [this.#options.option]: settings,
    };
    const args = words
      .slice(words.indexOf("agent"))
      .map((word, at, all) => values[all[at - 1] ?? ""] ?? word);
    const own = { "--bind-host": address, "--advertise-host": address };
    for (const [option, value] of Object.entries(own)) {
      const at = args.indexOf(option);
      if (at < 0) args.push(option, value);
      else args[at + 1] = value;
    }
    return [...args, "--state-dir", this.folder(hostId), "--json"];
  }

  /** An agent with these settings ends at once, and says what is wrong with them. */
  async refuses(hostId: OwnHostId, settings: string): Promise<{ code: number | null; error: unknown }> {
    const at = await this.#options.at(this.lab, hostId);
    const { code, out } = await this.cli.run(this.#agentArgs(hostId, settings), {}, at);
    return { code, error: (JSON.parse(out) as { error?: unknown }).error };
  }

  async startAgent(hostId: OwnHostId, settings: string): Promise<void> {
    const at = await this.#options.at(this.lab, hostId);
    const agent = this.cli.start(this.#agentArgs(hostId, settings), {}, at);
    this.agents.set(hostId, agent);
    await agent.says(/"type": "started"/);
  }

  /** A stock player, who talks in a room of its own. */
  async startPlayer(): Promise<void> {
    const program = join(import.meta.dirname, "stock-player.mjs");
    const [command = "", ...rest] = [...this.place, process.execPath, program, this.#url];
    const player = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
    this.#player = player;
    player.stdout.on("data", (data: Buffer) => {
      const line = data.toString().trim().split("\n").at(-1) ?? "";
      this.#last = JSON.parse(line) as Heard;
    });
    await expect.poll(() => this.#last?.heard, { timeout: 90_000 }).toBeGreaterThan(10);
  }

  order(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    return this.cli.run([...args, "--broker", this.#url], { CENTROID_TOKEN: ADMIN_TOKEN }, this.place);
  }

  /** Orders the player's room there. */
  async move(hostId: OwnHostId): Promise<Receipt> {
    const { out } = await this.order("move", this.#last?.roomId ?? "", hostId, "--json");
    return receiptSchema.parse(JSON.parse(out));
  }

  /** Where the player's room runs. */
  async home(): Promise<OwnHostId | undefined> {
    const { out } = await this.order("rooms", "--json");
    const rooms = JSON.parse(out) as { roomId: string; hostId: OwnHostId; state: string }[];
    const { roomId } = this.#last ?? {};
    return rooms.find((room) => room.roomId === roomId && room.state === "running")?.hostId;
  }

  async comesTo(hostId: OwnHostId): Promise<void> {
    await expect.poll(() => this.home(), { timeout: 60_000, interval: 500 }).toBe(hostId);
  }

  /** What was said until now is answered, in order, each once, on the connection that it began with. */
  async nothingLost(): Promise<void> {
    const until = this.#last?.sent ?? 0;
    expect(until).toBeGreaterThan(0);
    await expect.poll(() => this.#last?.heard, { timeout: 60_000 }).toBeGreaterThanOrEqual(until);
    expect(this.#last).toMatchObject({ inOrder: true, sameConnection: true, left: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#player?.kill("SIGTERM");
    for (const agent of this.agents.values()) await agent.kill("SIGTERM");
    for (const part of this.parts.reverse()) await part[Symbol.asyncDispose]();
    await Lab.down(this.#options.name);
    await this.cli[Symbol.asyncDispose]();
  }
}
