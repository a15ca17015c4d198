/**
 * The lab under a deployment whose rooms run in virtual machines or containers: one namespace per edge host, for
 * machines with a libvirt of its own.
 */
import { connect, createServer, type Server } from "node:net";
import { join, resolve } from "node:path";
import {
  buildRoomRoot,
  type ContainerConfig,
  containerConfigSchema,
  criuProblem,
} from "@centroid/container-carrier";
import { Connection } from "@centroid/node-libvirt";
import { CentroidError } from "@centroid/protocol";
import type { RoomsBundle } from "@centroid/room-host/bundling";
import type { GuestImage, VmConfig } from "@centroid/vm-carrier";
import { buildRoomsImage, detectAccelerator, GuestHost, roomsImageDirectory } from "@centroid/vm-carrier";
import { containersOf, imagesOf, Lab } from "./lab.js";
import { type LabKind, labProblem } from "./lab-problem.js";
import { labGuests, labNetwork, parseTopology } from "./topology.js";

export interface DeployLabOptions {
  readonly name: string;
  readonly hostIds: readonly string[];
  /** Round trips between hosts; none, and they are next to each other. */
  readonly rttMs?: (from: string, to: string) => number;
  readonly rooms: RoomsBundle;
  /** Keeps guest images. */
  readonly stateDir: string;
  readonly memoryMebibytes?: number;
  readonly notice: (line: string) => void;
}

/** Where players' traffic enters the lab. */
const PLAYERS = "players";
const BRIDGE = "br0";
const MEMORY_MEBIBYTES = 256;

/** @typeParam Settings what agents of these hosts are given for their carrier */
export interface DeployLab<Settings = { vm: VmConfig }> extends AsyncDisposable {
  readonly lab: Lab;
  readonly playersNamespace: string;
  /** Host addresses by id, for the emulator. */
  readonly hosts: Record<string, string>;
  /** What the agent of a host is given, and where it runs. */
  agent(hostId: string): { namespace: string; address: string } & Settings;
  /** Lets agents inside reach the broker outside; returns its URL for them. */
  openBroker(port: number): Promise<string>;
}

/** @throws CentroidError CARRIER_UNAVAILABLE with what is missing, CONFIG_INVALID for hosts a lab cannot have */
export async function startDeployLab(options: DeployLabOptions): Promise<DeployLab> {
  const problem = await labProblem();
  if (problem !== undefined)
    throw new CentroidError("CARRIER_UNAVAILABLE", `rooms cannot run in virtual machines here: ${problem}`);
  const { hostIds, notice } = options;
  const imageDirectory = roomsImageDirectory(options.stateDir);
  const image = await buildRoomsImage(options.rooms, options.stateDir, notice);
  const { accelerator, notice: slow } = await detectAccelerator(image);
  if (slow !== undefined) notice(slow);
  const memoryMebibytes = options.memoryMebibytes ?? MEMORY_MEBIBYTES;
  return openLab(options, "machines", async (lab) => {
    const vmOf = (hostId: string): VmConfig => {
      const { uri, peerUri, guestDirectory, localGuestDirectory } = lab.host(hostId);
      return {
        libvirtUri: uri,
        peerAddress: new URL(peerUri).host,
        guestDirectory,
        localGuestDirectory,
        imageDirectory,
        accelerator,
        bridge: BRIDGE,
        memoryMebibytes,
        network: labNetwork,
        addresses: labGuests(hostIds.indexOf(hostId)),
      };
    };
    notice("making the template for rooms");
    await makeTemplates(hostIds.map(vmOf), image);
    return (hostId) => ({ vm: vmOf(hostId) });
  });
}

/** The same for rooms in containers. */
export async function startContainerLab(
  options: DeployLabOptions,
): Promise<DeployLab<{ container: ContainerConfig }>> {
  const problem = (await labProblem("containers")) ?? (await criuProblem());
  if (problem !== undefined)
    throw new CentroidError("CARRIER_UNAVAILABLE", `rooms cannot run in containers here: ${problem}`);
  const { hostIds, rooms, stateDir, memoryMebibytes } = options;
  const root = await buildRoomRoot(rooms, stateDir, resolve(stateDir, "container-roots"));
  return openLab(options, "containers", async (lab) => (hostId) => ({
    container: containerConfigSchema.parse({
      directory: containersOf(lab.hostDirectory(hostId)),
      images: imagesOf(lab.name),
      root,
      bridge: BRIDGE,
      network: labNetwork,
      addresses: labGuests(hostIds.indexOf(hostId)),
      peerAddress: lab.host(hostId).address,
      ...(memoryMebibytes !== undefined && { memoryMebibytes }),
    }),
  }));
}

/** @param prepare makes the hosts ready; returns what the agent of each is given */
async function openLab<Settings>(
  { name, hostIds, rttMs, notice }: DeployLabOptions,
  kind: LabKind,
  prepare: (lab: Lab) => Promise<(hostId: string) => Settings>,
): Promise<DeployLab<Settings>> {
  // Nobody else has our port, so a lab of this name is what a crash left behind.
  await Lab.down(name);
  const lab = await Lab.up(topologyOf(hostIds, rttMs), { name, kind, onStep: notice });
  let listener: Server | undefined;
  const close = async (): Promise<void> => {
    listener?.close();
    await Lab.down(name);
  };
  try {
    const settingsOf = await prepare(lab);
    return {
      lab,
      playersNamespace: lab.sites[0]?.namespace ?? "",
      hosts: Object.fromEntries(lab.hosts.map((host) => [host.name, host.address])),
      agent: (hostId) => {
        const { namespace, address } = lab.host(hostId);
        return { namespace, address, ...settingsOf(hostId) };
      },
      openBroker: async (port) => {
        const path = join(lab.directory, "broker.sock");
        listener = createServer((socket) => {
          const broker = connect(port, "127.0.0.1");
          socket.pipe(broker).pipe(socket);
          for (const [one, other] of [
            [socket, broker],
            [broker, socket],
          ] as const)
            one.on("error", () => other.destroy()).on("close", () => other.destroy());
        });
        await new Promise<void>((resolve) => listener?.listen(path, resolve));
        return `ws+unix://${path}:`;
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

function topologyOf(hostIds: readonly string[], rttMs: DeployLabOptions["rttMs"]) {
  const links = hostIds.flatMap((a, at) =>
    hostIds.slice(at + 1).map((b) => ({ a, b, rttMs: rttMs?.(a, b) ?? 0 })),
  );
  try {
    return parseTopology({
      hosts: hostIds.map((name) => ({ name })),
      sites: [{ name: PLAYERS }],
      links: rttMs === undefined ? [] : links,
    });
  } catch (cause) {
    throw new CentroidError(
      "CONFIG_INVALID",
      "hosts: with --carrier vm or container there are at most 16, with ids of lower-case letters, digits and - (up to 16)",
      { cause },
    );
  }
}

/** Boots one guest for all hosts: they are alike, and so are their templates. */
async function makeTemplates(hosts: readonly VmConfig[], image: GuestImage): Promise<void> {
  const [first, ...others] = hosts;
  if (first === undefined) return;
  await using connection = await Connection.open(first.libvirtUri);
  const guests = GuestHost.of(connection, image, first);
  await guests.takeTemplateFrom(first.imageDirectory);
  await guests.prepareTemplate();
  await guests.copyTemplateTo(first.imageDirectory);
  for (const { localGuestDirectory } of others) await guests.copyTemplateTo(localGuestDirectory);
}
