/** Orders a room to another host as an operator does, over the control API. */
import { setTimeout as delay } from "node:timers/promises";

/** Where a room is to go. */
export interface MoveOrder {
  roomId: string;
  hostId: string;
}

/**
 * Again if the room was just moving by itself, or has just gone there by itself.
 * @param choose asked before each attempt: the room may be elsewhere by then
 * @returns what was ordered in the end
 */
export async function orderMove<Order extends MoveOrder>(
  url: string,
  token: string,
  choose: () => Promise<Order>,
): Promise<Order> {
  for (;;) {
    const order = await choose();
    const response = await fetch(`${url}/api/v1/rooms/${order.roomId}/move`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ hostId: order.hostId }),
    });
    if (response.ok) return order;
    const refusal = await response.text();
    if (!/ROOM_MOVING|already on/.test(refusal)) throw new Error(refusal);
    await delay(200);
  }
}
