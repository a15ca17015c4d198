/**
 * The private side of a Colyseus room (@colyseus/core 0.18.17), as far as a move needs it. Only this folder touches
 * it; the contract test names that version.
 */
import type { MoveHooks } from "@centroid/room";
import type { Client, ClientArray, Rewind, Room, SchemaSerializer } from "@colyseus/core";
import type { Encoder, Schema } from "@colyseus/schema";
import type { InputController, InputTimeline } from "./inputs.js";

type Seat = [options: unknown, auth: unknown, consumed: boolean, reconnecting: boolean];
interface Listing {
  metadata: unknown;
  clients: number;
  private: boolean;
  maxClients: number;
  unlisted?: boolean;
}
export interface RoomInternals extends MoveHooks {
  _serializer: SchemaSerializer<Schema> & { encoder: Encoder<Schema> };
  /** What clients had staged for after the patch; before what was broadcast for then. */
  _flushPendingClientFrames(): void;
  _listing: Listing;
  _reservedSeats: Record<string, Seat>;
  _reservedSeatTimeouts: Record<string, NodeJS.Timeout>;
  _reconnections: Record<string, [sessionId: string, deferred: unknown]>;
  _autoDisposeTimeout: NodeJS.Timeout | undefined;
  /** The timer of the simulation, and what it calls at each of its turns (Node's own field). */
  _simulationInterval: (NodeJS.Timeout & { _onTimeout(): void }) | undefined;
  _inputController: InputController | undefined;
  /** Asked once, when the time stamps of inputs are settled. */
  _timelineMode(): InputTimeline | undefined;
  allowRewindState(): Rewind;
  _lockedExplicitly: boolean;
  _events: NodeJS.EventEmitter;
  _onJoin(client: Client, ...rest: unknown[]): Promise<void>;
  _onLeave(client: Client, code?: number): Promise<unknown>;
  _onMessage(client: Client, buffer: Buffer): void;
  sendFullState(client: Client): void;
  _reserveSeat(sessionId: string, options?: unknown, auth?: unknown, seconds?: number): Promise<boolean>;
  clients: ClientArray;
}
export const internals = (room: Room): RoomInternals => room as unknown as RoomInternals;
