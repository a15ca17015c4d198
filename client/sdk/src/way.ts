/**
 * Whether a session's sockets go to the hosts themselves or come to the broker's own origin, which carries them there.
 * A broker that is reached by TLS always carries them: hosts speak plain WebSocket, which a secure page may not dial.
 */
import { BEACON_PATH, type Beacon, type Way } from "@centroid/protocol";

/** @param named what the broker says; one behind a proxy may not know that it is reached by TLS */
export function wayBy(brokerUrl: string, named: Way | undefined): Way {
  return brokerUrl.startsWith("https:") ? "gateway" : (named ?? "direct");
}

/** Where sockets are dialled that come to the origin of such a URL. */
export const socketOrigin = (brokerUrl: string): string =>
  brokerUrl.replace(/^http/, "ws").replace(/\/$/, "");

/** A session's URL at some host, as one at a gateway or broker: process, room and query stay. */
export function throughOrigin(origin: string, url: string): string {
  const [path = "", query] = url.split("?", 2);
  const own = path.split("/").slice(-2).join("/");
  return `${socketOrigin(origin)}/${own}${query === undefined ? "" : `?${query}`}`;
}

/** The beacon with a URL that can be dialled from here. */
export function reachable(brokerUrl: string, beacon: Beacon): Beacon {
  const { hostId, url } = beacon;
  if (url.startsWith("/")) return { ...beacon, url: `${socketOrigin(brokerUrl)}${url}` };
  if (wayBy(brokerUrl, undefined) === "direct") return beacon;
  return { ...beacon, url: `${socketOrigin(brokerUrl)}${BEACON_PATH}${hostId}` };
}
