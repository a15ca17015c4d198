/** Ids of rooms, sessions, players and migrations: short, plain, not guessable. */
import { randomFillSync } from "node:crypto";

/** 2^72 ids: a million live ones collide with a chance of 1e-10. */
const ID_BYTES = 9;
/** The system's random source is asked for so many ids at once: a call for each would cost more than a join. */
const IDS_PER_FILL = 256;

export type NewId = () => string;

/** Makes ids of 12 characters `A-Za-z0-9_-` from the system's random source; the first is never punctuation. */
export function randomIds(): NewId {
  const pool = Buffer.alloc(ID_BYTES * IDS_PER_FILL);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const id = pool.toString("base64url", at, at + ID_BYTES);
    at += ID_BYTES;
    return /^[_-]/.test(id) ? `a${id.slice(1)}` : id;
  };
}
