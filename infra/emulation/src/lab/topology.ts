/** What a lab consists of: hosts, player sites, links between them, and the address of each. */
import { readFile } from "node:fs/promises";
import { type AddressRange, ipv4Number, ipv4Text, macOf } from "@centroid/agent";
import { z } from "zod";

/** Part of namespace and file names. */
const nameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,15}$/, "a lower-case letter, then up to 15 letters, digits or -");

export const linkPropertiesSchema = z.object({
  rttMs: z.number().min(0).max(10_000),
  /** Each packet's one-way delay varies by up to this, evenly, never reordering. */
  jitterMs: z.number().min(0).max(1000).default(0),
  /** Share of packets lost, 0..1, in each direction. */
  loss: z.number().min(0).max(1).default(0),
  /** Unlimited when absent. */
  megabitsPerS: z.number().positive().optional(),
  up: z.boolean().default(true),
});
export type LinkProperties = z.infer<typeof linkPropertiesSchema>;

const linkSchema = linkPropertiesSchema.extend({ a: nameSchema, b: nameSchema });
export type LabLink = z.infer<typeof linkSchema>;

const topologySchema = z
  .object({
    hosts: z
      .array(z.object({ name: nameSchema }))
      .min(1)
      .max(16),
    sites: z
      .array(z.object({ name: nameSchema }))
      .max(32)
      .default([]),
    /** Pairs without a link here are joined without delay. */
    links: z.array(linkSchema).default([]),
  })
  .superRefine((topology, context) => {
    const names = [...topology.hosts, ...topology.sites].map(({ name }) => name);
    const known = new Set(names);
    if (known.size !== names.length) context.addIssue({ code: "custom", message: "two places share a name" });
    for (const { a, b } of topology.links) {
      if (!known.has(a) || !known.has(b) || a === b) {
        context.addIssue({ code: "custom", message: `link ${a} - ${b} does not join two places of the lab` });
      }
    }
  });
export type Topology = z.infer<typeof topologySchema>;

/** Cities with the round trips between their clouds' regions, ms, as public latency tables show them. */
const cities = ["frankfurt", "tokyo", "virginia", "sydney", "saopaulo", "mumbai"] as const;
const cityRttMs: readonly (readonly number[])[] = [
  [0, 225, 90, 285, 205, 115],
  [225, 0, 155, 105, 260, 130],
  [90, 155, 0, 200, 115, 185],
  [285, 105, 200, 0, 310, 150],
  [205, 260, 115, 310, 0, 300],
  [115, 130, 185, 150, 300, 0],
];
/** From a player's home to the host of the same city. */
const lastMileRttMs = 8;

/** `count` hosts in different cities, and one site of players in each. */
export function defaultTopology(count: number): Topology {
  if (!Number.isInteger(count) || count < 1 || count > cities.length) {
    throw new RangeError(
      `a lab without a file has 1 to ${cities.length} hosts; describe larger ones in a file`,
    );
  }
  const chosen = cities.slice(0, count);
  const links: LabLink[] = [];
  chosen.forEach((a, i) => {
    chosen.forEach((b, j) => {
      const between = cityRttMs[i]?.[j] ?? 0;
      const link = { jitterMs: 0, loss: 0, up: true };
      if (i < j) links.push({ a, b, rttMs: between, ...link });
      links.push({ a: `${a}-site`.slice(0, 16), b, rttMs: between + lastMileRttMs, ...link });
    });
  });
  return {
    hosts: chosen.map((name) => ({ name })),
    sites: chosen.map((name) => ({ name: `${name}-site`.slice(0, 16) })),
    links,
  };
}

/** @throws {ZodError} naming what is wrong with the file. */
export async function readTopology(path: string): Promise<Topology> {
  return topologySchema.parse(JSON.parse(await readFile(path, "utf8")));
}

/** @throws {ZodError} naming what is wrong with it. */
export function parseTopology(value: z.input<typeof topologySchema>): Topology {
  return topologySchema.parse(value);
}

/** Everything in a lab is on one private network; the box itself has no address in it. */
export const labNetwork = "10.77.0.0/16";
export const labPrefixBits = 16;
export const hostAddress = (index: number) => `10.77.1.${index + 1}`;
export const siteAddress = (index: number) => `10.77.2.${index + 1}`;

/**
 * The MAC of a place's bridge, by the place's address. A bridge without one of its own takes the lowest of its ports',
 * which may be that of a guest's tap: alike at both ends of a move, and nothing that one end sends gets out.
 */
export const bridgeMac = (address: string): string => macOf(["02", "77"], address);

/** Below are hosts and sites. */
const firstGuest = "10.77.16.0";
/** There are at most 16 hosts. */
const guestsPerHost = 3_000;

/** The guest addresses of one of the lab's hosts. */
export function labGuests(hostIndex: number): AddressRange {
  const first = ipv4Number(firstGuest) + hostIndex * guestsPerHost;
  return { from: ipv4Text(first), to: ipv4Text(first + guestsPerHost - 1) };
}
