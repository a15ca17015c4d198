/**
 * Who may carry whom. Broker and agent know the agent token and derive from it one secret per room host. From that the
 * broker derives what it hands to a gateway: a key to prove itself at that room host, and a pass per session. So a
 * gateway reaches only the room hosts, and carries only the sessions, that a broker has given it, and learns no secret
 * that would be good for more.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** HMAC-SHA256 (RFC 2104) over a list of words, which JSON keeps apart. */
function derive(secret: string, ...words: readonly string[]): string {
  return createHmac("sha256", secret)
    .update(JSON.stringify(["centroid trunk", ...words]))
    .digest("base64url");
}

/** What a room host checks gateways by. */
export const trunkSecret = (agentToken: string, processId: string): string =>
  derive(agentToken, "process", processId);

/** By which this gateway proves itself at the room host of that secret. */
export const gatewayKey = (secret: string, gatewayId: string): string => derive(secret, "gateway", gatewayId);

/** A session, as a gateway may carry it. */
export interface CarriedSession {
  gatewayId: string;
  roomId: string;
  sessionId: string;
}

/** Allows this gateway to carry this session at the room host of that secret. */
export const sessionPass = (secret: string, { gatewayId, roomId, sessionId }: CarriedSession): string =>
  derive(secret, "session", gatewayId, roomId, sessionId);

/** Takes as long whatever is wrong with the pass. */
export function passAdmits(pass: string, secret: string, session: CarriedSession): boolean {
  const [shown, expected] = [Buffer.from(pass), Buffer.from(sessionPass(secret, session))];
  return shown.byteLength === expected.byteLength && timingSafeEqual(shown, expected);
}
