/** A room on its way: all of it but its state graph. */

import type { CarriedValue } from "../values/carried-values.js";
import type { LateSetUpRecord } from "./late-set-up.js";
import type { PlainFields } from "./plain-fields.js";
import type { ViewRecord } from "./schema/views.js";
import type { TimerRecord } from "./timers.js";

export interface SessionRecord {
  sessionId: string;
  playerId: string | undefined;
  network: string | undefined;
  centroid: boolean;
  reconnectionToken: string;
  auth: CarriedValue;
  userData: CarriedValue;
  joinedAtMs: number;
  view: ViewRecord | undefined;
  /** Data frames so far on this session: from and to the client. */
  received: number;
  sent: number;
  /** Disconnected, its seat held by allowReconnection(). */
  dropped: boolean;
  /** Not back since the room was restored: for how long it is waited for, and what was said to it meanwhile. */
  awaitedMs?: number;
  waiting?: Uint8Array[];
}

/** Everything of a room but its state graph. */
export interface CarriedRoom {
  clock: { elapsedMs: number; timers: TimerRecord[]; fixedTick: number };
  patchRateMs: number | null;
  metadata: unknown;
  maxClients: number;
  locked: boolean;
  isPrivate: boolean;
  isUnlisted?: boolean;
  autoDispose: boolean;
  sessions: SessionRecord[];
  seats: {
    sessionId: string;
    options: unknown;
    auth: CarriedValue;
    playerId: string | undefined;
    network: string | undefined;
  }[];
  plain: PlainFields;
  setUp: LateSetUpRecord[];
  /** What onFreeze() returned. */
  extra: CarriedValue;
}
