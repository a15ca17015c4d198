/** The network namespaces of a lab: one per place, found again by their names alone. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { run } from "@centroid/agent";

const namespacePrefix = "centroid";

/** Of the kernel, wherever guests are or come from. */
export const kernelSettings = {
  // A tap's early IPv6 neighbour adverts at the destination teach switches a MAC that is still elsewhere.
  "net.ipv6.conf.all.disable_ipv6": "1",
  "net.ipv6.conf.default.disable_ipv6": "1",
  "net.ipv4.tcp_notsent_lowat": "131072",
} as const;

export const namespaceOf = (lab: string, place: string) => `${namespacePrefix}-${lab}-${place}`;

export async function namespacesOf(lab: string): Promise<string[]> {
  const all = existsSync("/run/netns") ? await readdir("/run/netns") : [];
  return all.filter((namespace) => namespace.startsWith(`${namespacePrefix}-${lab}-`));
}

export async function configure(namespace: string, values: Readonly<Record<string, string>>): Promise<void> {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  await run("ip", ["netns", "exec", namespace, "sysctl", "-qw", ...pairs]);
}

export async function makeNamespace(namespace: string): Promise<void> {
  await run("ip", ["netns", "add", namespace]);
  await run("ip", ["-n", namespace, "link", "set", "lo", "up"]);
  await configure(namespace, kernelSettings);
}
