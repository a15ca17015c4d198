/** An order about a room that another broker decides about: handed on to it, with this deployment's own token. */
import {
  CentroidError,
  type MoveRequest,
  type Receipt,
  receiptSchema,
  wireErrorSchema,
} from "@centroid/protocol";
import { z } from "zod";
import type { Member } from "./cluster.js";

const refusalSchema = z.object({ error: wireErrorSchema });
/** A hand-off and its players' reports take a few seconds, a machine's move up to a minute, and then both hosts are asked. */
const MOVE_TIMEOUT_MS = 120_000;

/** @throws CentroidError what the other broker says; HOST_LOST if it cannot be reached */
export async function forwardMove(
  { url, brokerId }: Member,
  adminToken: string,
  roomId: string,
  order: MoveRequest,
): Promise<Receipt> {
  let response: Response;
  try {
    response = await fetch(`${url}/api/v1/rooms/${encodeURIComponent(roomId)}/move`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${adminToken}` },
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(MOVE_TIMEOUT_MS),
    });
  } catch (cause) {
    throw new CentroidError(
      "HOST_LOST",
      `broker ${brokerId}, which decides about room ${roomId}, cannot be reached; try again shortly`,
      { cause },
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return receiptSchema.parse(body);
  const refused = refusalSchema.safeParse(body);
  throw refused.success
    ? CentroidError.fromWire(refused.data.error)
    : new CentroidError("INTERNAL", `broker ${brokerId} answered ${response.status}`);
}
