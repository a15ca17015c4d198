/** An order about a room that another broker decides about: handed on to it, with this deployment's own token. */
import {
  BrokerUnreachableError,
  CentroidError,
  callRoute,
  controlRoutes,
  type MoveRequest,
  type Receipt,
} from "@centroid/protocol";
import type { Member } from "./cluster.js";

/** A hand-off and its players' reports take a few seconds, a machine's move up to a minute, and then both hosts are asked. */
const MOVE_TIMEOUT_MS = 120_000;

/** @throws CentroidError what the other broker says; HOST_LOST if it cannot be reached */
export async function forwardMove(
  { url, brokerId }: Member,
  adminToken: string,
  roomId: string,
  order: MoveRequest,
): Promise<Receipt> {
  const access = {
    base: url,
    headers: { authorization: `Bearer ${adminToken}` },
    signal: AbortSignal.timeout(MOVE_TIMEOUT_MS),
  };
  return callRoute(controlRoutes.move, { params: { roomId }, body: order }, access).catch(
    (cause: unknown) => {
      if (!(cause instanceof BrokerUnreachableError)) throw cause;
      throw new CentroidError(
        "HOST_LOST",
        `broker ${brokerId}, which decides about room ${roomId}, cannot be reached; try again shortly`,
        { cause },
      );
    },
  );
}
