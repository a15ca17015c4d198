/** Two hypervisors, one guest and one player: what the migration benchmark and the tests work on. */
import { mkdir } from "node:fs/promises";
import { addressAt, guestMac } from "@centroid/agent";
import { Connection } from "@centroid/node-libvirt";
import type {
  Accelerator,
  GuestImage,
  VmDestination,
  VmMigrationOptions,
  VmMigrationOutcome,
} from "@centroid/vm-carrier";
import { type Guest, GuestHost, MigrationPredictor, migrateGuest } from "@centroid/vm-carrier";
import { Lab, type LabHost } from "./lab.js";
import { LabPlayer } from "./player.js";
import { type LabLink, labGuests, labPrefixBits, parseTopology } from "./topology.js";

export interface GuestPairOptions {
  readonly name: string;
  readonly image: GuestImage;
  readonly accelerator: Accelerator;
  readonly memoryMebibytes: number;
  readonly links?: readonly LabLink[];
}

const pairHosts = ["left", "right"] as const;
export type PairHost = (typeof pairHosts)[number];
const playerSite = "players";

export class GuestPair implements AsyncDisposable {
  readonly lab: Lab;
  readonly #options: GuestPairOptions;
  readonly #connections: Connection[] = [];
  readonly #predictor = new MigrationPredictor();
  #nextGuest = 0;

  private constructor(lab: Lab, options: GuestPairOptions) {
    this.lab = lab;
    this.#options = options;
  }

  static async up(options: GuestPairOptions): Promise<GuestPair> {
    const topology = parseTopology({
      hosts: pairHosts.map((name) => ({ name })),
      sites: [{ name: playerSite }],
      links: [...(options.links ?? [])],
    });
    const lab = await Lab.up(topology, { name: options.name });
    for (const host of lab.hosts) await mkdir(host.localGuestDirectory, { recursive: true });
    return new GuestPair(lab, options);
  }

  async connect(name: PairHost): Promise<Connection> {
    const connection = await Connection.open(this.lab.host(name).uri);
    this.#connections.push(connection);
    return connection;
  }

  async guestHost(name: PairHost): Promise<GuestHost> {
    const { image, accelerator, memoryMebibytes } = this.#options;
    const { guestDirectory, localGuestDirectory } = this.lab.host(name);
    return new GuestHost({
      connection: await this.connect(name),
      image,
      accelerator,
      memoryMebibytes,
      directory: guestDirectory,
      localDirectory: localGuestDirectory,
      bridge: "br0",
    });
  }

  /** The next free address and MAC of this lab. */
  nextIdentity(): { ip: string; mac: string; prefixBits: number } {
    const ip = addressAt(labGuests(0), this.#nextGuest++);
    return { ip, mac: guestMac(ip), prefixBits: labPrefixBits };
  }

  async startGuest(host: GuestHost): Promise<Guest> {
    const identity = this.nextIdentity();
    return host.start(`room-${this.#nextGuest}`, identity);
  }

  connectPlayer(guest: Guest): Promise<LabPlayer> {
    const site = this.lab.sites.find(({ name }) => name === playerSite);
    return LabPlayer.connect(site?.namespace ?? "", guest.identity.ip, guest.port);
  }

  side(name: PairHost): VmDestination {
    const host: LabHost = this.lab.host(name);
    return { hostId: name, connect: () => Connection.open(host.uri), peerUri: host.peerUri };
  }

  migrate(
    guest: Guest,
    from: PairHost,
    options: Pick<VmMigrationOptions, "mode" | "deadlineMs"> & Partial<VmMigrationOptions>,
  ): Promise<VmMigrationOutcome> {
    return migrateGuest({
      source: this.side(from),
      destination: this.side(from === "left" ? "right" : "left"),
      uuid: guest.domain.uuid,
      predictor: this.#predictor,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#connections.map((connection) => connection.close()));
    await Lab.down(this.lab.name);
  }
}
