/**
 * Whether a player who comes by a gateway may try its room's host at the host's own address: only where that address can
 * mean the same machine to both. Whether it is reached, and in less time than by the gateway, the player measures.
 */
import { isIP } from "node:net";
import { addressKey } from "@centroid/protocol/node";

/** RFC 1918, RFC 3927, RFC 4193, RFC 6598. */
const PRIVATE =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab])/i;
const LOOPBACK = /^(127\.|::1$|0:0:0:0:0:0:0:1$|0:0:0:0$)/;

/**
 * @param player who asks, as the gateway saw it
 * @param host `host:port[/path]`; a name is taken for a public address
 */
export function mayReach(player: string, host: string): boolean {
  const [, name = ""] = /^(\[[^\]]+\]|[^:/]+)/.exec(host) ?? [];
  const theirs = scopeOf(name.replace(/^\[|\]$/g, ""));
  return theirs === "public" || theirs === scopeOf(player);
}

function scopeOf(address: string): "loopback" | "private" | "public" {
  if (address === "localhost") return "loopback";
  if (isIP(address) === 0) return "public";
  const key = addressKey(address);
  if (LOOPBACK.test(address) || LOOPBACK.test(key)) return "loopback";
  return PRIVATE.test(key) ? "private" : "public";
}
