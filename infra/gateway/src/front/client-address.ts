/** Who really sent a request that a trusted proxy passed on, told as Fastify tells it for the other routes. */
import type { IncomingMessage } from "node:http";
import proxyAddr from "@fastify/proxy-addr";

/** @param trusted addresses and networks of proxies that are believed */
export function clientAddresses(trusted: readonly string[] = []): (request: IncomingMessage) => string {
  if (trusted.length === 0) return ({ socket }) => socket.remoteAddress ?? "";
  const trust = proxyAddr.compile([...trusted]);
  return (request) => proxyAddr(request, trust);
}
