/** What needs Node and several programs share: proof of a shared token, requests matched with their replies, ends in order. */

export { addressKey } from "./address-key.js";
export { authority } from "./authority.js";
export { type DiskFault, diskFaultOf, unwritable } from "./disk-faults.js";
export { DisposalStack } from "./disposal-stack.js";
export { endChild } from "./end-child.js";
export { endToEnd, HOP_BY_HOP, OF_ORIGIN } from "./http-headers.js";
export { isRefusal } from "./is-refusal.js";
export { batched, MessageBatch, unbatched } from "./message-batch.js";
export { PendingReplies } from "./request-correlator.js";
export { requestTarget } from "./request-target.js";
export { readTlsFiles, type TlsFiles, watchTlsFiles } from "./tls-files.js";
export { type Challenge, newNonce, prove, proves } from "./token-proof.js";
