/** Puts together what players and operators call: routes, who may do what, the one port. */
import { CentroidError, type RateLimit } from "@centroid/protocol";
import proxyAddr from "@fastify/proxy-addr";
import type { FastifyInstance } from "fastify";
import type { EventSocket } from "./api/event-socket.js";
import { Guard, isLoopback } from "./api/guard.js";
import { httpServer } from "./api/http-server.js";
import { RateLimiter } from "./base/rate-limit.js";
import type { Core } from "./compose.js";
import type { AppProxy } from "./gateway/app-proxy.js";
import type { GatewayLinks } from "./gateway/gateway-links.js";
import type { PlayerSockets } from "./gateway/player-sockets.js";
import type { AgentServer } from "./hosts/agent-server.js";
import type { AgentTokens } from "./hosts/agent-tokens.js";
import { anyHostTakesRooms } from "./hosts/host-registry.js";
import { type BrokerOptions, DEFAULT_BIND_HOST } from "./options.js";
import type { Matchmaker } from "./seats/matchmaker.js";
import type { PlayerIdentity } from "./seats/player-identity.js";

export interface HttpParts {
  options: BrokerOptions;
  core: Core;
  brokerId: string;
  adminToken: string;
  viewerToken: string;
  identity: PlayerIdentity;
  /** Requests of one address; none if there is no limit. */
  requestLimit: RateLimit | undefined;
  matchmaker: Matchmaker;
  /** Hosts from before a restart are back, or were waited for long enough. */
  ready: Promise<void>;
  /** Aborted: nobody may come in any more. */
  closing: AbortSignal;
  agents: AgentServer;
  agentTokens: AgentTokens;
  events: EventSocket;
  /** On the broker's own port. */
  gatewayId: string;
  gateway: PlayerSockets | undefined;
  gateways: GatewayLinks;
  app: AppProxy | undefined;
}

/** Builds the server; it does not listen yet. */
export function assembleHttp(parts: HttpParts): Promise<FastifyInstance> {
  const { options, core, identity, matchmaker, ready } = parts;
  const openReads = options.requireReadToken !== true && isLoopback(options.bindHost ?? DEFAULT_BIND_HOST);
  const guard = new Guard({ admin: parts.adminToken, viewer: parts.viewerToken }, openReads);
  let isReady = false;
  void ready.then(() => {
    isReady = true;
  });
  return httpServer({
    client: {
      ...core,
      matchmaker,
      identity,
      publicUrl: publicUrlOf(options.publicUrl),
      gatewayId: parts.gatewayId,
      gatewayUrls: () => parts.gateways.publicUrls,
      carryStockPlayers: options.carryStockPlayers === true && parts.gateway !== undefined,
      closing: parts.closing,
    },
    operator: {
      ...core,
      brokerId: parts.brokerId,
      emulationUrl: options.emulationUrl,
      guard,
      agents: parts.agents,
      agentTokens: parts.agentTokens,
    },
    guard,
    limiter: new RateLimiter(parts.requestLimit, core.clock),
    trustProxy: trust(options.trustProxy, parts.gateways),
    metrics: core.metrics,
    logger: core.logger,
    agents: parts.agents.wss,
    brokers: core.brokerLinks.wss,
    events: parts.events.wss,
    gateway: parts.gateway,
    gateways: parts.gateways.wss,
    app: parts.app,
    dashboardDir: options.dashboardDir,
    playDir: options.playDir,
    pagesDir: options.pagesDir,
    emulationUrl: options.emulationUrl,
    degraded: () => core.store.trouble,
    notReady: () => {
      if (!isReady) return "waiting for hosts that had rooms before the restart";
      return anyHostTakesRooms(core.hosts) ? undefined : "no active host has a free slot";
    },
  });
}

/** Proxies that the operator names, and gateways that have proved themselves. */
function trust(
  proxies: readonly string[] | undefined,
  gateways: GatewayLinks,
): (address: string, hop: number) => boolean {
  const named = proxies === undefined ? () => false : proxyAddr.compile([...proxies]);
  return (address, hop) => named(address, hop) || (hop === 0 && gateways.has(address));
}

/** @throws CentroidError CONFIG_INVALID */
function publicUrlOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === "") return url;
  throw new CentroidError(
    "CONFIG_INVALID",
    `publicUrl: ${text} must look like https://play.example, with a path if there is one`,
  );
}
