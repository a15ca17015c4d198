/** What a broker can be told, and what it assumes otherwise. */
import type { CarrierKind } from "@centroid/protocol";
import type { TlsFiles } from "@centroid/protocol/node";
import type { Clock } from "./base/clock.js";
import type { NewId } from "./base/ids.js";
import type { BrokerLimits } from "./base/limits.js";
import type { Logger, LogLevel } from "./base/logger.js";
import type { Cluster } from "./cluster/cluster.js";
import type { PlayerSockets, PlayerSocketsParts } from "./gateway/player-sockets.js";
import type { AddressBook } from "./hosts/address-book.js";
import type { MigrationTimes } from "./moves/times.js";
import type { ParameterOverrides } from "./placement/engine.js";
import type { Store } from "./store/store.js";

/** What a broker can be told; everything has a default. */
export interface BrokerOptions {
  /** Address to listen on; loopback unless told otherwise. */
  bindHost?: string;
  /** 0 is any free port. */
  port?: number;
  /** Directory of the embedded store; without it nothing outlives the process. */
  storeDir?: string;
  /** A store of another kind; it stays the caller's to close. */
  store?: Store;
  /** The other brokers on the same store; it stays the caller's to close. Alone if not given. */
  cluster?: Cluster;
  /** `http://host:port` under which the other brokers reach this one; its own address if not given. */
  clusterUrl?: string;
  /** For operators; generated once and kept in the store if not given. */
  adminToken?: string;
  /** For those who only look; generated once and kept in the store if not given. */
  viewerToken?: string;
  /** For agents; generated once and kept in the store if not given. */
  agentToken?: string;
  /** For gateways; generated once and kept in the store if not given. */
  gatewayToken?: string;
  /** Makes the gateway that shares this broker's port; without one players' sockets go to the hosts' own addresses. */
  gateway?: (parts: PlayerSocketsParts) => PlayerSockets;
  /** True: players on stock Colyseus clients come by that gateway, which takes them along when their rooms move. */
  carryStockPlayers?: boolean;
  /** True: nobody reads without a token. Else programs of this machine may, while `bindHost` is a loopback address. */
  requireReadToken?: boolean;
  /** How long a player's token proves its id; renewed while it plays. A day if not given. */
  playerTokenLifeMs?: number;
  addressBook?: AddressBook;
  /** True when distances between players and hosts are emulated; shown wherever they are. */
  emulated?: boolean;
  /** Where players of an emulated network change their place; told to operators' tools. */
  emulationUrl?: string;
  placement?: ParameterOverrides;
  /** Gets all that placement depends on and decides, as JSON lines that `centroid replay` reads; replaced at each start. */
  traceFile?: string;
  /** False: rooms move only when an operator says so. */
  autoMove?: boolean;
  carrier?: CarrierKind;
  migration?: Partial<MigrationTimes>;
  /** Built dashboard, served at `/`; with {@link BrokerOptions.app} at `/dashboard/`. */
  dashboardDir?: string;
  /** True: agents serve a project's HTTP routes, which answer whatever the broker itself does not. */
  app?: boolean;
  /** Built game page, served at `/play/`. */
  playDir?: string;
  /** Further built pages, served beside the dashboard: one folder per page. */
  pagesDir?: string;
  heartbeatIntervalMs?: number;
  /** Silence after which a host counts as lost. */
  lostAfterMs?: number;
  /** The same where rooms run in virtual machines, which an agent that is started again finds as they were. */
  agentRestartMs?: number;
  /** Silence after which it is forgotten with its rooms. */
  forgetAfterMs?: number;
  /** After a restart, joins wait at most so long for hosts that had rooms. */
  rejoinGraceMs?: number;
  /** Joins wait so long after the start for a first host, at most 15 s each; 15 s if not given, for ever if infinite. */
  firstHostWithinMs?: number;
  /**
   * How long hosts may run their rooms after a broker that is alone on its store has ended as told to; the next one waits
   * as long before it gives the rooms of a host that does not come back to others. 0: hosts are told nothing.
   */
  farewellLeaseMs?: number;
  /** Per client address and player; {@link DEFAULT_LIMITS} where not given, `false` for none. */
  limits?: false | Partial<BrokerLimits>;
  /**
   * `https://name[:port][/path]` by which players reach this broker: their sockets then come here as well and are carried
   * to the rooms' hosts. Not needed to be reached by TLS of this broker's own or behind a proxy that says it speaks TLS.
   */
  publicUrl?: string;
  /** TLS of this broker's own, on its one port; plain HTTP is then for programs of this machine only. */
  tls?: TlsFiles;
  /** Addresses of proxies, whose X-Forwarded-For says who asks. Not of who asks the proxy: that one could say anything. */
  trustProxy?: readonly string[];
  /** `broker.log` in `storeDir` if not given, or errors on standard error with neither; it stays the caller's to close. */
  logger?: Logger;
  /** What that file gets; `info` if not given. */
  logLevel?: LogLevel;
  clock?: Clock;
  newId?: NewId;
}

export const DEFAULT_PORT = 2567;
export const DEFAULT_BIND_HOST = "127.0.0.1";
export const DEFAULT_HEARTBEAT_INTERVAL_MS = 300;
/**
 * A host that stands still for a second, be it for its garbage, a crowded machine or two packets lost in a row (RFC
 * 6298: 0.2 s and 0.4 s), and had a beat due just then, must not be lost; its rooms and players have to be back in 3 s.
 */
export const DEFAULT_LOST_AFTER_MS = 1_600;
/** A supervisor starts it again within a second, and on a busy machine it loads for two more. */
export const DEFAULT_AGENT_RESTART_MS = 6_000;
/** An agent machine may reboot within this. */
export const DEFAULT_FORGET_AFTER_MS = 120_000;
/** Agents redial every second, and run their rooms for 2.4 s after a port has refused them. */
export const DEFAULT_REJOIN_GRACE_MS = 3_000;
/** A machine is up again within this; so long, rooms of a host that died meanwhile wait for it. */
export const DEFAULT_FAREWELL_LEASE_MS = 60_000;
