/** Says which WebSocket library players are served with, if it is the slower one. */
import { uwsProblem } from "@centroid/room-host/sockets";

/** Once, and with the cause, where a person starts something: agents and room hosts take what there is. */
export async function noticeSlowTransport(notice: (line: string) => void): Promise<void> {
  const problem = await uwsProblem();
  if (problem !== undefined)
    notice(`uWebSockets.js does not run here: ${problem}. ws is used: the same, with more CPU per message`);
}
