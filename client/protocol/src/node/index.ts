/** The parts of the protocol that need Node: proof of a shared token, and requests matched with their replies. */
export { PendingReplies } from "./request-correlator.js";
export { requestTarget } from "./request-target.js";
export { type Challenge, newNonce, prove, proves } from "./token-proof.js";
