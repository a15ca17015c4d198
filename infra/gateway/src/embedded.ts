/** The gateway on a broker's own port: what `startBroker({ gateway })` takes. */
import { Gateway, type GatewayOptions, MAX_PER_ADDRESS } from "./front/gateway.js";

/** What a broker has for the gateway that shares its port. */
interface EmbeddedParts
  extends Pick<GatewayOptions, "gatewayId" | "directory" | "trustProxy" | "addressKey"> {
  /** False: no limits per address. */
  limited: boolean;
}

export function embeddedGateway({ limited, ...parts }: EmbeddedParts): Gateway {
  return new Gateway({ ...parts, maxPerAddress: limited ? MAX_PER_ADDRESS : undefined });
}
