/** The broker's control API: reads with or without a token, orders with the admin's. Answers are parsed at the edge. */
import {
  type AuditEntry,
  auditEntrySchema,
  type Decision,
  decisionSchema,
  type Location,
  OPERATOR_HEADER,
  type OperatorMessage,
  type Receipt,
  type Role,
  receiptSchema,
  whoamiSchema,
  wireErrorSchema,
} from "@centroid/protocol";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { z } from "zod";
import type { OperatorSession } from "./session.js";

/** The person closed the login instead. Nothing went wrong and nothing was done. */
export class Declined extends Error {
  constructor() {
    super("not done: an admin token is needed");
    this.name = "Declined";
  }
}

class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "Refused";
    this.status = status;
  }
}

const failureSchema = z.object({ error: wireErrorSchema });
const roomStateSchema = z.object({ state: z.unknown(), sessions: z.array(z.string()), clockMs: z.number() });
const deliveredSchema = z.object({ receivers: z.number().int() });
export type RoomStateView = z.infer<typeof roomStateSchema>;

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
  const call = async <T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    token?: string,
    body?: unknown,
  ) => {
    const name = session.name.peek();
    const response = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(name === "" ? {} : { [OPERATOR_HEADER]: encodeURIComponent(name) }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new Error("the broker does not answer; is it running?");
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return schema.parse(answer);
    const failure = failureSchema.safeParse(answer);
    const words = failure.success ? failure.data.error.message : `the broker answered ${response.status}`;
    throw new Refused(response.status, words);
  };
  const read = <T>(path: string, schema: z.ZodType<T>) =>
    call("GET", path, schema, session.login.peek()?.token);
  const order = async <T>(path: string, schema: z.ZodType<T>, body: unknown = {}): Promise<T> => {
    let reason = "This needs the admin token.";
    for (;;) {
      const token = await session.need(reason);
      if (token === undefined) throw new Declined();
      try {
        return await call("POST", path, schema, token, body);
      } catch (error) {
        if (!(error instanceof Refused && (error.status === 401 || error.status === 403))) throw error;
        session.forget();
        reason = "The broker does not take orders with that token any more.";
      }
    }
  };
  const room = (roomId: string) => `rooms/${encodeURIComponent(roomId)}`;
  const host = (hostId: string) => `hosts/${encodeURIComponent(hostId)}`;
  return {
    session,
    decisions: (roomId) => read(`${room(roomId)}/decisions`, z.array(decisionSchema)),
    receipts: (roomId) => read(`receipts?roomId=${encodeURIComponent(roomId)}`, z.array(receiptSchema)),
    state: (roomId) => read(`${room(roomId)}/state`, roomStateSchema),
    move: (roomId, hostId) => order(`${room(roomId)}/move`, receiptSchema, { hostId }),
    kick: async (roomId, sessionId) => {
      await order(`${room(roomId)}/sessions/${encodeURIComponent(sessionId)}/kick`, z.unknown());
    },
    drain: async (hostId) => {
      await order(`${host(hostId)}/drain`, z.unknown());
    },
    activate: async (hostId) => {
      await order(`${host(hostId)}/activate`, z.unknown());
    },
    setLocked: async (roomId, locked) => {
      await order(`${room(roomId)}/${locked ? "lock" : "unlock"}`, z.unknown());
    },
    message: async (roomId, message) =>
      (await order(`${room(roomId)}/message`, deliveredSchema, message)).receivers,
    whatIf: (roomId, playerId, location) =>
      call("POST", "whatif", decisionSchema, session.login.peek()?.token, { roomId, playerId, location }),
    audit: (limit, beforeMs) =>
      read(
        `audit?limit=${limit}${beforeMs === undefined ? "" : `&beforeMs=${beforeMs}`}`,
        z.array(auditEntrySchema),
      ),
    roleOf: async (token) => {
      try {
        return (await call("GET", "whoami", whoamiSchema, token)).role;
      } catch (error) {
        if (error instanceof Refused && error.status === 401) return undefined;
        throw error;
      }
    },
  };
}
