/** A container's network card: one end of a pair, whose other end is plugged into the host's bridge or not. */
import { execFile } from "node:child_process";
import { run } from "@centroid/agent";

export interface ContainerAddress {
  readonly ip: string;
  readonly mac: string;
  readonly prefixBits: number;
  readonly gateway?: string | undefined;
}

/** Name of the host's end, of at most 15 characters. @param containerId as in `container-id.ts` */
export const cardOf = (containerId: string): string => `ct${containerId}`;

/** Gives the network namespace of `pid` its card and address; unplugged unless a bridge is named. */
export async function addCard(
  card: string,
  pid: number,
  address: ContainerAddress,
  bridge?: string,
): Promise<void> {
  const host = bridge === undefined ? [] : ["master", bridge];
  const peer = ["peer", "name", "eth0", "address", address.mac, "netns", String(pid)];
  await removeCard(card);
  await run("ip", ["link", "add", "name", card, "up", ...host, "type", "veth", ...peer]);
  const { ip, prefixBits, gateway } = address;
  const lines = [
    "link set lo up",
    `addr add ${ip}/${prefixBits} dev eth0`,
    "link set eth0 up",
    ...(gateway === undefined ? [] : [`route add default via ${gateway}`]),
  ];
  await within(pid, "ip", ["-batch", "-"], lines.join("\n"));
}

export async function plug(card: string, bridge: string): Promise<void> {
  await run("ip", ["link", "set", card, "master", bridge]);
}

export async function removeCard(card: string): Promise<void> {
  await run("ip", ["link", "delete", card]).catch(() => undefined);
}

function within(pid: number, command: string, args: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      "nsenter",
      [`--net=/proc/${pid}/ns/net`, "--", command, ...args],
      (error, _, stderr) =>
        error === null ? resolve() : reject(new Error(`${command}: ${stderr.trim() || error.message}`)),
    );
    child.stdin?.end(`${input}\n`);
  });
}
