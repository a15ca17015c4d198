/** The gateway on a broker's own port: what `startBroker({ gateway })` takes. */
import { Gateway, type GatewayOptions, MAX_PER_ADDRESS } from "./front/gateway.js";

/** What a broker has for the gateway that shares its port. */
interface EmbeddedParts
  extends Pick<GatewayOptions, "gatewayId" | "directory" | "trustProxy" | "addressKey"> {
  /** False: no limits per address. */
  limited: boolean;
}

/**
 * Lets the broker's own port carry players' sockets: `startBroker({ gateway: embeddedGateway })`. Without it players reach
 * the room hosts themselves, or a gateway in a process of its own.
 */
export function embeddedGateway({ limited, ...parts }: EmbeddedParts): Gateway {
  return new Gateway({ ...parts, maxPerAddress: limited ? MAX_PER_ADDRESS : undefined });
}
