/** How a session finds its room through the brokers that its client knows, and follows it. */
import type { BrokerApi } from "./broker-api.js";
import type { SdkSeat } from "./stock-client.js";
import type { SessionPaths } from "./transport-events.js";
import { wayBy } from "./way.js";
import { Ways } from "./ways.js";

/** @param origin of the broker, or gateway, that gave the seat */
export function sessionPaths(
  api: BrokerApi,
  roomId: string,
  origin: string,
  seat: SdkSeat["centroid"],
): SessionPaths & { ways: Ways } {
  let named = seat.gateways ?? [];
  const ways = new Ways(wayBy(origin, seat.way), origin, () => [...named, ...api.bases]);
  const route = (url: string): string => ways.route(url);
  return {
    ways,
    route,
    dial: ways.dial,
    onChosen: ways.onChosen,
    detour: () => {
      const left = ways.detour();
      if (left !== undefined) api.avoid(left);
      return left !== undefined;
    },
    locate: async (url) => {
      const found = await api.where(roomId, ways.wantsDirect);
      const { publicAddress, processId, epoch, host, way, restoring = false } = found;
      named = found.gateways ?? named;
      const { protocol, host: here, search } = new URL(url);
      const there = `${protocol}//${publicAddress ?? here}/${processId}/${roomId}${search}`;
      const isDirect = ways.directTo(host.hostId, way === undefined ? publicAddress : undefined);
      if (!isDirect) ways.way = wayBy(api.base, way);
      return {
        url: isDirect ? there : route(there),
        epoch,
        host,
        restoring,
      };
    },
  };
}
