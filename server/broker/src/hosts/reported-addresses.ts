/**
 * Addresses that agents report are dialled by players and by other hosts, so they must be what they seem: a name or
 * address and a port, in the one way of writing them, without user, query or fragment; and reachable for others: an
 * agent that is not on the broker's machine cannot be at a loopback address. What a name resolves to is not looked at.
 */
import { BlockList, isIP } from "node:net";
import { CentroidError, type RoomReport } from "@centroid/protocol";

const HOST_PORT = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([1-9][0-9]{0,4}))?$/i;
const PATH = /^(?:\/(?!\.+(?:\/|$))[A-Za-z0-9_.:-]+)*$/;
const PROCESS_ID = /^[A-Za-z0-9_.:-]{1,200}$/;
const MAX_PORT = 65_535;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
/** Nobody's: unspecified, link-local (where clouds answer about themselves), multicast, reserved. */
const NOBODY = new BlockList();
NOBODY.addSubnet("0.0.0.0", 8, "ipv4");
NOBODY.addSubnet("169.254.0.0", 16, "ipv4");
NOBODY.addSubnet("224.0.0.0", 3, "ipv4");
NOBODY.addAddress("::", "ipv6");
NOBODY.addSubnet("fe80::", 10, "ipv6");
NOBODY.addSubnet("ff00::", 8, "ipv6");

const inList = (list: BlockList, host: string): boolean => {
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 4 ? "ipv4" : "ipv6");
};
const isLoopback = (host: string): boolean =>
  inList(LOOPBACK, host) || host === "localhost" || host.endsWith(".localhost");

/** Where an agent dials from, as far as its addresses depend on it. */
export type AgentPlace = "this-machine" | "elsewhere";

/** @param remoteAddress of its connection; none over a local socket */
export function placeOf(remoteAddress: string | undefined): AgentPlace {
  return remoteAddress === undefined || isLoopback(remoteAddress) ? "this-machine" : "elsewhere";
}

function refuse(address: string, why: string): never {
  const shown = JSON.stringify(address.slice(0, 100));
  throw new CentroidError("BAD_REQUEST", `the agent reports the address ${shown}: ${why}`);
}

function assertHostPort(text: string, given: string, place: AgentPlace, port: "port" | "any"): void {
  const [, written = "", number] = HOST_PORT.exec(text) ?? refuse(given, "not of the form host:port");
  if (number === undefined ? port === "port" : Number(number) > MAX_PORT)
    refuse(given, "it needs a valid port");
  const url = URL.canParse(`http://${written}`)
    ? new URL(`http://${written}`)
    : refuse(given, "no valid host");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // 0x7f.1, 2130706433 and the like are addresses in disguise.
  if (isIP(host) === 4 && host !== written) refuse(given, `write it as ${host}`);
  if (inList(NOBODY, host))
    refuse(given, "nobody can be reached there; start the agent with --advertise-host");
  if (place === "elsewhere" && isLoopback(host))
    refuse(
      given,
      "others would reach themselves there; start the agent with --bind-host and --advertise-host",
    );
}

/** @throws CentroidError BAD_REQUEST for what is not `host:port[/path]`, or cannot be reached by others */
export function assertAddress(address: string, place: AgentPlace): void {
  const [, authority = "", path = ""] = /^([^/]*)(.*)$/s.exec(address) ?? [];
  if (!PATH.test(path)) refuse(address, "nothing but a plain path may follow the port");
  assertHostPort(authority, address, place, "port");
}

/** Libvirt peers come without a port if theirs is the usual one. */
function assertUrl(url: string, schemes: readonly string[], place: AgentPlace): void {
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(url) ?? refuse(url, "not a URL");
  if (!schemes.includes(scheme)) refuse(url, `its scheme is none of ${schemes.join(", ")}`);
  if (scheme === "tcp") assertHostPort(rest, url, place, "any");
  else assertAddress(rest, place);
}

/** @throws CentroidError BAD_REQUEST */
export function assertHello(
  { beaconUrl, app, rooms }: { beaconUrl: string; app?: string | undefined; rooms: readonly RoomReport[] },
  place: AgentPlace,
): void {
  if (app !== undefined) assertAddress(app, place);
  assertUrl(beaconUrl, ["ws", "wss"], place);
  for (const room of rooms) assertReport(room, place);
}

/** @throws CentroidError BAD_REQUEST */
export function assertReport(
  { address, processId }: Pick<RoomReport, "address" | "processId">,
  place: AgentPlace,
): void {
  assertAddress(address, place);
  if (!PROCESS_ID.test(processId)) refuse(processId, "not the id of a process");
}

/** Whatever addresses an answer to an order has. @throws CentroidError BAD_REQUEST */
export function assertAnswer(result: unknown, place: AgentPlace): void {
  if (typeof result !== "object" || result === null) return;
  if ("address" in result && "processId" in result)
    assertReport({ address: String(result.address), processId: String(result.processId) }, place);
  if ("transferUrl" in result) assertUrl(String(result.transferUrl), ["ws", "wss", "tcp"], place);
}
