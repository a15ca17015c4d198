/** A room on its way: all of it but its state graph. */

import type { CarriedValue } from "../values/carried-values.js";
import type { InputRecord, InputTimeline } from "./inputs.js";
import type { LateSetUpRecord } from "./late-set-up.js";
import type { PlainFields } from "./plain-fields.js";
import type { RewindRecord } from "./rewind.js";
import type { ClockRecord } from "./room-clock.js";
import type { StreamRecord } from "./schema/streams.js";
import type { ViewRecord } from "./schema/views.js";
import type { TimerRecord } from "./timers.js";

export interface SessionRecord {
  sessionId: string;
  playerId: string | undefined;
  network: string | undefined;
  centroid: boolean;
  /** The client can compare its state with the room's. */
  compares?: boolean;
  reconnectionToken: string;
  auth: CarriedValue;
  userData: CarriedValue;
  joinedAtMs: number;
  view: ViewRecord | undefined;
  /** Data frames so far on this session: from and to the client. */
  received: number;
  sent: number;
  /** Of a room with defineInput(). */
  input?: InputRecord;
  /** Frames with requests that the room's workers had not answered: they are delivered again. */
  unanswered?: Uint8Array[];
  /** Disconnected, its seat held by allowReconnection(). */
  dropped: boolean;
  /** Then: for how much longer, and with what code it went; nothing if the hook that holds the seat has to run again. */
  heldMs?: number;
  code?: number | undefined;
  /** Not back since the room was restored: for how long it is waited for, and what was said to it meanwhile. */
  awaitedMs?: number;
  waiting?: Uint8Array[];
}

/** Everything of a room but its state graph. */
export interface CarriedRoom {
  clock: ClockRecord & { timers: TimerRecord[] };
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
  /** Which time stamps inputs carry, once that is settled. */
  timeline?: InputTimeline;
  rewind?: RewindRecord;
  /** Of a state that has any. */
  streams?: StreamRecord[];
  plain: PlainFields;
  setUp: LateSetUpRecord[];
  /** What onFreeze() returned. */
  extra: CarriedValue;
}
