/**
 * Which way a player's sockets take. At the hosts' own addresses unless something stands between the player and this
 * broker that speaks TLS, or that maps its port: then the addresses and ports of hosts are of no use to the player, and
 * its sockets come to the origin that it reached this broker by.
 */
import type { IncomingHttpHeaders } from "node:http";
import { GATEWAY_PSEUDONYM, type Way } from "@centroid/protocol";

/** A request, as far as it tells how its sender reached this broker. */
export interface Approach {
  headers: IncomingHttpHeaders;
  /** It came over TLS of this broker's own. */
  encrypted: boolean;
  /** Where it came in. */
  localPort: number | undefined;
}

/** What an answer says of the way; spread into it. */
export type WayFields = { way?: Way; publicAddress?: string };

/**
 * Headers choose between two ways that both end at the same room, so a liar misleads nobody but itself.
 * @param publicUrl what the operator says players reach this broker by
 */
export function wayOf(publicUrl: URL | undefined, approach: Approach): Way {
  if (publicUrl !== undefined || approach.encrypted) return "gateway";
  const { headers, localPort } = approach;
  // It came through a gateway, which has that port to itself.
  if (headers.via?.includes(GATEWAY_PSEUDONYM) === true) return "gateway";
  const scheme = forwardedScheme(headers);
  if (scheme !== undefined) return scheme === "https" ? "gateway" : "direct";
  const port = portOf(headers.host);
  return port === undefined || port === localPort ? "direct" : "gateway";
}

/** By which gateway in a process of its own it came. */
export const gatewayIn = ({ via }: IncomingHttpHeaders): string | undefined =>
  via?.includes(GATEWAY_PSEUDONYM) === true ? /\(([^()]+)\)/.exec(via)?.[1] : undefined;

/** It came through a gateway in the clear: nothing but that stands between its sender and hosts. */
export function byPlainGateway(publicUrl: URL | undefined, { headers, encrypted }: Approach): boolean {
  const isPlain = publicUrl === undefined && !encrypted && forwardedScheme(headers) !== "https";
  return isPlain && headers.via?.includes(GATEWAY_PSEUDONYM) === true;
}

/** Without a public URL no address is named: clients then dial where they asked, whatever name that has. */
export function wayFields(way: Way, publicUrl: URL | undefined, hostAddress: string | undefined): WayFields {
  if (way === "direct") return hostAddress === undefined ? {} : { publicAddress: hostAddress };
  return { way, ...(publicUrl !== undefined && { publicAddress: authorityOf(publicUrl) }) };
}

/**
 * Where players dial who get a seat from a room: there is no request then that would say how they reach this broker. With
 * TLS of its own, they dial where they asked.
 */
export function dialledBy(o: { publicUrl?: string; tls?: unknown }): (address: string) => string | undefined {
  const { publicUrl, tls } = o;
  if (publicUrl !== undefined) return () => authorityOf(new URL(publicUrl));
  return tls === undefined ? (address) => address : () => undefined;
}

const authorityOf = ({ host, pathname }: URL): string => `${host}${pathname.replace(/\/+$/, "")}`;

/** As RFC 7239 has it, and what came before. */
function forwardedScheme(headers: IncomingHttpHeaders): string | undefined {
  const [first] = [headers["x-forwarded-proto"]].flat();
  const named = first?.split(",")[0] ?? /(?:^|[;,\s])proto="?([a-z]+)/i.exec(headers.forwarded ?? "")?.[1];
  return named?.trim().toLowerCase();
}

/** What a name without a port stands for is the front's port, not ours. */
function portOf(host: string | undefined): number | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined;
  const { port } = new URL(`http://${host}`);
  return port === "" ? 80 : Number(port);
}
