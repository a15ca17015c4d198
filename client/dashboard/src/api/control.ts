/** The broker's control API: reads with or without a token, orders with the admin's. */
import {
  type ApiRoute,
  type AuditEntry,
  BrokerUnreachableError,
  CentroidError,
  callRoute,
  controlRoutes,
  type Decision,
  type Location,
  OPERATOR_HEADER,
  type OperatorMessage,
  type Receipt,
  type Role,
  type RouteAnswer,
  type RouteInput,
} from "@centroid/protocol";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { OperatorSession } from "./session.js";

/** The person closed the login instead. Nothing went wrong and nothing was done. */
export class Declined extends Error {
  constructor() {
    super("not done: an admin token is needed");
    this.name = "Declined";
  }
}

export type RoomStateView = RouteAnswer<typeof controlRoutes.roomState>;

export interface Control {
  readonly session: OperatorSession;
  decisions(roomId: string): Promise<Decision[]>;
  receipts(roomId: string): Promise<Receipt[]>;
  state(roomId: string): Promise<RoomStateView>;
  move(roomId: string, hostId: string): Promise<Receipt>;
  kick(roomId: string, sessionId: string): Promise<void>;
  setLocked(roomId: string, locked: boolean): Promise<void>;
  /** @returns how many received it */
  message(roomId: string, message: OperatorMessage): Promise<number>;
  drain(hostId: string): Promise<void>;
  activate(hostId: string): Promise<void>;
  /** @returns what would be decided if that player of the room were there */
  whatIf(roomId: string, playerId: string, location: Location): Promise<Decision>;
  /** @returns orders newest first, from before `beforeMs` if given */
  audit(limit: number, beforeMs?: number): Promise<AuditEntry[]>;
  /** @returns what the broker lets this token do; undefined if it does not know it */
  roleOf(token: string): Promise<Role | undefined>;
}

export const ControlContext = createContext<Control | undefined>(undefined);

/** Undefined in a recording: there is no broker to talk to. */
export function useControl(): Control | undefined {
  return useContext(ControlContext);
}

/** All calls throw an Error whose message can be shown: the broker's own words where it answered. */
export function createControl(session: OperatorSession): Control {
  /** The dashboard may be served below the broker's own root, by a proxy. */
  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const call = <R extends ApiRoute>(
    route: R,
    input: RouteInput<R>,
    token?: string,
  ): Promise<RouteAnswer<R>> => {
    const name = session.name.peek();
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(name === "" ? {} : { [OPERATOR_HEADER]: encodeURIComponent(name) }),
    };
    return callRoute(route, input, { base, headers }).catch((cause: unknown) => {
      if (cause instanceof BrokerUnreachableError)
        throw new Error("the broker does not answer; is it running?", { cause });
      throw cause;
    });
  };
  const read = <R extends ApiRoute>(route: R, input: RouteInput<R>) =>
    call(route, input, session.login.peek()?.token);
  const order = async <R extends ApiRoute>(route: R, input: RouteInput<R>): Promise<RouteAnswer<R>> => {
    let reason = "This needs the admin token.";
    for (;;) {
      const token = await session.need(reason);
      if (token === undefined) throw new Declined();
      try {
        return await call(route, input, token);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        session.forget();
        reason = "The broker does not take orders with that token any more.";
      }
    }
  };
  const { lock, unlock } = controlRoutes;
  return {
    session,
    decisions: (roomId) => read(controlRoutes.decisions, { params: { roomId } }),
    receipts: (roomId) => read(controlRoutes.receipts, { query: { roomId } }),
    state: (roomId) => read(controlRoutes.roomState, { params: { roomId } }),
    move: (roomId, hostId) => order(controlRoutes.move, { params: { roomId }, body: { hostId } }),
    kick: async (roomId, sessionId) => {
      await order(controlRoutes.kick, { params: { roomId, sessionId } });
    },
    drain: async (hostId) => {
      await order(controlRoutes.drain, { params: { hostId }, query: {} });
    },
    activate: async (hostId) => {
      await order(controlRoutes.activate, { params: { hostId } });
    },
    setLocked: async (roomId, locked) => {
      await order(locked ? lock : unlock, { params: { roomId } });
    },
    message: async (roomId, body) =>
      (await order(controlRoutes.message, { params: { roomId }, body })).receivers,
    whatIf: (roomId, playerId, location) =>
      read(controlRoutes.whatIf, { body: { roomId, playerId, location } }),
    audit: (limit, beforeMs) =>
      read(controlRoutes.audit, { query: { limit, ...(beforeMs !== undefined && { beforeMs }) } }),
    roleOf: async (token) => {
      try {
        return (await call(controlRoutes.whoami, {}, token)).role;
      } catch (error) {
        if (error instanceof CentroidError && error.code === "UNAUTHORIZED") return undefined;
        throw error;
      }
    },
  };
}

const isRefusal = (error: unknown): boolean =>
  error instanceof CentroidError && (error.code === "UNAUTHORIZED" || error.code === "FORBIDDEN");
