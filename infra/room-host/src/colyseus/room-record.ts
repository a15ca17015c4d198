/** A room on its way: all of it but its state graph. */

import type { CarriedObject, CarriedValue } from "../values/carried-values.js";
import type { InputRecord, InputTimeline } from "./inputs.js";
import type { LateSetUpRecord } from "./late-set-up.js";
import type { CarriedFields, PlainFields } from "./plain-fields.js";
import type { RewindRecord } from "./rewind.js";
import type { ClockRecord } from "./room-clock.js";
import type { RoomSettings } from "./room-settings.js";
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
  /** What the author has put on the client beside. */
  own: CarriedFields;
  joinedAtMs: number;
  /** Place among the room's views. */
  view: number | undefined;
  /** Data frames so far on this session: from and to the client. */
  received: number;
  sent: number;
  /** Of a room with defineInput(). */
  input?: InputRecord;
  /** Frames with requests that the room's workers had not answered: they are delivered again. */
  unanswered?: Uint8Array[];
  /** Disconnected, its seat held by allowReconnection(). */
  dropped: boolean;
  /** Then: for how much longer, unless the hook that holds the seat has to run again, and with what code it went. */
  heldMs?: number;
  code?: number | undefined;
  /** Not back since the room was restored: for how long it is waited for, and what was said to it meanwhile. */
  awaitedMs?: number;
  waiting?: Uint8Array[];
  /** In which epochs it has been waited for, and how many of `waiting` each of them had: it may have come there since. */
  awaitedIn?: AwaitedIn[];
}

/** What waited for a session when the room was saved in that epoch. */
export interface AwaitedIn {
  epoch: number;
  frames: number;
}

/** Everything of a room but its state graph. */
export interface CarriedRoom extends RoomSettings {
  /** Objects that the values here point at. */
  heap: CarriedObject[];
  views: ViewRecord[];
  clock: ClockRecord & {
    timers: TimerRecord[];
    /** Code waited for `clock.duration()`, and does not go on where it was. */
    cut?: boolean;
  };
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
  /** By order: what onCreate() set up and was taken back since. */
  takenBack: number[];
  /** Messages of presence that it has heard, the last of them. */
  heard: string[];
  /** What onFreeze() returned. */
  extra: CarriedValue;
}
