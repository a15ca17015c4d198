/**
 * How two programs show each other that they know a token without saying it: each signs two random numbers, one of
 * either side, so that what was overheard is worth nothing on another connection.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What both sign: said in the open, new for each connection. */
export interface Challenge {
  protocol: number;
  /** Who dials: a host's, a gateway's or a trunk's id. */
  hostId: string;
  /** Of who is dialled. */
  challenge: string;
  /** Of who dials. */
  nonce: string;
}

/** Who signs, so that one side's proof is never good as the other's. */
export type Prover = "agent" | "broker" | "gateway" | "room-host";

/** 128 random bits: nobody draws the same twice. */
export const newNonce = (): string => randomBytes(16).toString("base64url");

/** HMAC-SHA256 (RFC 2104) by the token; `by` keeps one side's proof from being shown as the other's. */
export function prove(token: string, by: Prover, { protocol, hostId, challenge, nonce }: Challenge): string {
  const said = JSON.stringify(["centroid", by, protocol, hostId, challenge, nonce]);
  return createHmac("sha256", token).update(said).digest("base64url");
}

/** Takes as long whatever is wrong with the proof. */
export function proves(given: string, token: string, by: Prover, what: Challenge): boolean {
  const expected = Buffer.from(prove(token, by, what));
  const shown = Buffer.from(given);
  return shown.byteLength === expected.byteLength && timingSafeEqual(shown, expected);
}
