/** What a joiner brings: options as Colyseus takes them, the SDK's hints among them, and who asks. */
import {
  CENTROID_OPTIONS_KEY,
  CentroidError,
  type JoinHints,
  joinHintsSchema,
  PROTOCOL_VERSION,
  type ProbeReport,
  readWire,
  type SeatRequest,
} from "@centroid/protocol";
import type { PlayerEntry } from "../probes/player-registry.js";
import type { Visit } from "./allowance.js";

/** Text is no options; Colyseus takes it all the same, one character each. */
const MAX_TEXT_OPTIONS = 1_000;

/** Who asks for a seat, as a room's static onAuth gets to know it. */
export interface Caller {
  authToken: string | undefined;
  /** The request's headers and the address it came from; unknown if the seat was not asked for over HTTP. */
  request: SeatRequest["request"];
  /** Another room, which answers for the player. */
  sent?: SeatRequest["sent"];
}

export interface Joiner {
  player: PlayerEntry;
  /** Whose round trips are taken for the player's; undefined if nothing is known of where it is. */
  judgedBy: string | undefined;
  /** It measures before it is given a room, if it is asked to. */
  canMeasure: boolean;
  playerToken: string;
  party: readonly PlayerEntry[];
  options: Record<string, unknown>;
  caller: Caller;
  visits: readonly Visit[];
  /** What it measured before. */
  probes: readonly ProbeReport[];
}

/**
 * Clients in Lua write an empty table as `[]`, and Colyseus takes any body.
 * @throws CentroidError BAD_REQUEST | PROTOCOL_VERSION
 */
export function readJoin(body: unknown): { options: Record<string, unknown>; hints: JoinHints | undefined } {
  if (typeof body === "string" && body.length > MAX_TEXT_OPTIONS)
    throw new CentroidError("BAD_REQUEST", "options are text; send a JSON object");
  const { [CENTROID_OPTIONS_KEY]: raw, ...options } = Object.assign({}, body) as Record<string, unknown>;
  if (raw === undefined) return { options, hints: undefined };
  const hints = readWire(joinHintsSchema, raw, "BAD_REQUEST", CENTROID_OPTIONS_KEY);
  if (hints.protocol !== PROTOCOL_VERSION) {
    throw new CentroidError(
      "PROTOCOL_VERSION",
      `this broker speaks protocol ${PROTOCOL_VERSION}, the client ${hints.protocol}; use the same version`,
    );
  }
  return { options, hints };
}

/** What a host needs to know of a joiner. */
export function seatRequest({ player, options, caller }: Joiner): Omit<SeatRequest, "sessionId"> {
  const { playerId, network } = player;
  const { authToken, request, sent } = caller;
  return {
    playerId,
    options,
    ...(network !== undefined && { network }),
    ...(authToken !== undefined && { authToken }),
    ...(request !== undefined && { request }),
    ...(sent !== undefined && { sent }),
  };
}
