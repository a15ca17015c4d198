/**
 * Where a session's connection stands. Each state owns what it waits for, and what a state owns ends with it, so that a
 * timer or a second connection of an earlier state cannot act on a later one.
 *
 *     locating ──► connected ──► arriving ──► recovering ──► last-word ──► closed
 *                   │    ▲          │             │              │
 *                   │    └──────────┴─────────────┴──────────────┘
 *                   └─► leaving ──► closed
 */
import type { SessionSocket } from "./dial.js";
import type { NextHost } from "./next-host.js";
import type { Recovery } from "./recovery.js";

/** What is under way and can be called off. */
export interface Cancellable {
  cancel(): void;
}

export type ConnectionState =
  /** Not dialled yet, or over. */
  | { state: "closed" }
  /** Asks where the room is, before anything was heard from it. */
  | { state: "locating"; retry?: Cancellable }
  /** One socket, dialled or open; while the room moves a second one, and while it is silent a look for the room elsewhere. */
  | { state: "connected"; socket: SessionSocket; next?: NextHost; suspicion?: Recovery; measures?: true }
  /** The player has left; the socket closes. */
  | { state: "leaving"; socket: SessionSocket }
  /** The old connection is gone in the middle of a move, or was before it was known of; the destination is waited for. */
  | { state: "arriving"; next: NextHost; patience: Cancellable }
  /** The connection broke; the room is looked for. */
  | { state: "recovering"; recovery: Recovery }
  /** No host takes the session back; the standby may still be the one that does. */
  | { state: "last-word"; patience: Cancellable };

/** What ends with a state, unless its successor has it too. */
export function ownedBy(connection: ConnectionState): readonly Cancellable[] {
  switch (connection.state) {
    case "closed":
    case "leaving":
      return [];
    case "locating":
      return present(connection.retry);
    case "connected":
      return present(connection.next, connection.suspicion);
    case "arriving":
      return [connection.next, connection.patience];
    case "recovering":
      return [connection.recovery];
    case "last-word":
      return [connection.patience];
    default: {
      const never: never = connection;
      throw new Error(`unhandled ${JSON.stringify(never)}`);
    }
  }
}

const present = (...owned: (Cancellable | undefined)[]): Cancellable[] =>
  owned.filter((one) => one !== undefined);

/** Calls `act` in `delayMs`, unless it is called off before. */
export function after(delayMs: number, act: () => void): Cancellable {
  const timer = setTimeout(act, delayMs);
  return { cancel: () => clearTimeout(timer) };
}
