/** What every carrier of sandboxes asks of a host of one's own: its settings file, and addresses that can be given out. */
import { readFile } from "node:fs/promises";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { type AddressRange, ipv4Number, isWithin, networkOf } from "./sandbox-network.js";

/** More and two sandboxes could have one MAC; less and there is no sandbox. */
const PREFIX_BITS = { least: 8, most: 30 } as const;

/**
 * @param docs the section to read, for the error
 * @throws CentroidError CONFIG_INVALID naming the file, the setting and what is wrong
 */
export async function readHostSettings<S extends z.ZodType>(
  file: string,
  schema: S,
  docs: string,
): Promise<z.output<S>> {
  const invalid = (what: string, cause?: unknown): CentroidError =>
    new CentroidError("CONFIG_INVALID", `${file}: ${what}; see ${docs}`, { cause });
  const text = await readFile(file, "utf8").catch((cause: Error) => {
    throw invalid(cause.message, cause);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`is no JSON (${CentroidError.from(cause).message})`, cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    z
      .prettifyError(parsed.error)
      .replace(/^✖ /, "")
      .replace(/\s*\n\s*(✖ )?/g, ", "),
  );
}

export interface SandboxAddresses {
  readonly network: string;
  readonly addresses: AddressRange;
  readonly gateway?: string | undefined;
  /** Of the host itself, with or without a port. */
  readonly peerAddress: string;
}

/** A zod refinement. @param sandbox what gets the addresses, in the singular */
export const checkAddresses =
  (sandbox: "guest" | "container") =>
  (place: SandboxAddresses, context: z.core.$RefinementCtx<SandboxAddresses>): void => {
    const wrong = (key: keyof SandboxAddresses, message: string): void => {
      context.addIssue({ code: "custom", path: [key], message });
    };
    const { network, addresses, gateway, peerAddress } = place;
    const { prefixBits, ...hosts } = networkOf(network);
    if (prefixBits < PREFIX_BITS.least || prefixBits > PREFIX_BITS.most) {
      wrong("network", `${network}: must have between ${PREFIX_BITS.least} and ${PREFIX_BITS.most} bits`);
      return;
    }
    if (!isWithin(addresses.from, hosts) || !isWithin(addresses.to, hosts))
      wrong("addresses", `${addresses.from} to ${addresses.to} must lie within ${hosts.from} to ${hosts.to}`);
    else if (ipv4Number(addresses.from) > ipv4Number(addresses.to))
      wrong("addresses", `${addresses.from} comes after ${addresses.to}`);
    if (gateway !== undefined && !isWithin(gateway, hosts))
      wrong("gateway", `${gateway} is not in ${network}, so ${sandbox}s cannot reach it`);
    const taken = { gateway, peerAddress: peerAddress.split(":")[0] };
    for (const [key, used] of Object.entries(taken))
      if (used !== undefined && z.ipv4().safeParse(used).success && isWithin(used, addresses))
        wrong("addresses", `${used} is in use (${key}): leave it out, or a ${sandbox} gets it too`);
  };
