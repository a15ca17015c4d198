/** How rooms are dealt out to brokers: agents know it too, so that what concerns one broker only goes to that one. */

/** More shards than brokers by far, so that each broker gets about its part. */
export const SHARDS = 64;

/** FNV-1a (draft-eastlake-fnv) with MurmurHash3's finaliser, 32 bit: even, and the same everywhere. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export const shardOf = (roomId: string): number => hash32(roomId) % SHARDS;
