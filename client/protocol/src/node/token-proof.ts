/**
 * How agent and broker show each other that they know the agent token without saying it: each signs two random numbers,
 * one of either side, so that what was overheard is worth nothing on another connection.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What both sign: said in the open, new for each connection. */
export interface Challenge {
  protocol: number;
  hostId: string;
  /** Of the broker. */
  challenge: string;
  /** Of the agent. */
  nonce: string;
}

/** 128 random bits: nobody draws the same twice. */
export const newNonce = (): string => randomBytes(16).toString("base64url");

/** HMAC-SHA256 (RFC 2104) by the token; `by` keeps one side's proof from being shown as the other's. */
export function prove(
  token: string,
  by: "agent" | "broker",
  { protocol, hostId, challenge, nonce }: Challenge,
): string {
  const said = JSON.stringify(["centroid", by, protocol, hostId, challenge, nonce]);
  return createHmac("sha256", token).update(said).digest("base64url");
}

/** Takes as long whatever is wrong with the proof. */
export function proves(given: string, token: string, by: "agent" | "broker", what: Challenge): boolean {
  const expected = Buffer.from(prove(token, by, what));
  const shown = Buffer.from(given);
  return shown.byteLength === expected.byteLength && timingSafeEqual(shown, expected);
}
