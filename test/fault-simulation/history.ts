/** What happened in a run, in order: the checker knows nothing else. */

/** A room object in a process. The same room has another life after each move or restoration. */
export interface Life {
  roomId: string;
  /** Process and the how-manyeth start of it. */
  host: string;
  life: number;
}

export type Happening =
  | { type: "fault"; text: string; machine?: string }
  | { type: "healed"; text: string; machine?: string }
  | { type: "note"; text: string }
  /** Something that nobody caught: Node ends a process for it. */
  | { type: "uncaught"; process: string; text: string }
  /** The host says that the room runs there from now on. */
  | ({ type: "owner"; epoch: number; restored: boolean } & Life)
  /** `number` counts the room's ticks over all its lives. */
  | ({ type: "tick"; number: number } & Life)
  | { type: "said"; sessionId: string; number: number }
  /** The room's own code got a message. */
  | ({ type: "applied"; sessionId: string; number: number } & Life)
  /** The player was told that its first `count` frames survive the host. */
  | { type: "acknowledged"; sessionId: string; count: number }
  /** The player got the room's running number; `fresh` after a restoration, which may repeat some. */
  | { type: "heard"; sessionId: string; number: number; fresh: boolean }
  /** The player goes on at another host, and has counted what it can say is lost. */
  | { type: "moved"; sessionId: string; hostId: string; restored: boolean; lost: number; doubled: number }
  | { type: "session-ended"; sessionId: string; code: number; excused: boolean };

export type Entry = { atMs: number } & Happening;

/** A run when nothing was under way any more, or when it was waited for long enough. */
export interface Ending {
  openMigrations: string[];
  rooms: {
    roomId: string;
    /** As the broker has it; `undefined` if it does not know the room. */
    state: string | undefined;
    /** Players of it whose sessions live. */
    sessions: string[];
    /** Processes that run it. */
    runsAt: string[];
    /** Frames of each session that the room's code got, in order, less what restorations undid. */
    log: Record<string, number[]>;
  }[];
}
