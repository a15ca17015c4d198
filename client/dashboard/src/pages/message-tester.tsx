/** Sends a message into a room by hand: to its players as the room would, or to the room as a player would. */
import { type OperatorMessage, operatorMessageSchema, type Player, type Room } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { z } from "zod";
import type { Control } from "../api/control.js";
import { Action } from "../ui/action.js";
import { plural } from "../ui/format.js";

interface MessageTesterProps {
  readonly room: Room;
  readonly players: readonly Player[];
  readonly control: Control;
}

/** Values of the receiver list: the session id comes after the colon. */
const EVERYONE = "everyone:";

export function MessageTester({ room, players, control }: MessageTesterProps) {
  const receiver = useSignal(EVERYONE);
  const type = useSignal("");
  const payload = useSignal("");
  const said = useSignal("");
  const send = async () => {
    said.value = "";
    const receivers = await control.message(
      room.roomId,
      messageOf(receiver.value, type.value, payload.value),
    );
    said.value = `Sent to ${plural(receivers, receiver.value.startsWith("room:") ? "room" : "player")}.`;
  };
  return (
    <form class="message" onSubmit={(event) => event.preventDefault()}>
      <label>
        To
        <select
          value={receiver.value}
          onChange={(event) => {
            receiver.value = event.currentTarget.value;
          }}
        >
          <option value={EVERYONE}>everyone in the room</option>
          {players.map(({ playerId, sessionId }) => (
            <option key={sessionId} value={`player:${sessionId}`}>
              player {playerId}
            </option>
          ))}
          {players.map(({ playerId, sessionId }) => (
            <option key={sessionId} value={`room:${sessionId}`}>
              the room, as {playerId}
            </option>
          ))}
        </select>
      </label>
      <label>
        Type
        <input
          value={type.value}
          placeholder="walk"
          onInput={(event) => {
            type.value = event.currentTarget.value;
          }}
        />
      </label>
      <label class="payload">
        Payload, as JSON
        <textarea
          rows={2}
          value={payload.value}
          placeholder='{ "dx": 1 }'
          onInput={(event) => {
            payload.value = event.currentTarget.value;
          }}
        />
      </label>
      <Action disabled={type.value === ""} run={send}>
        Send
      </Action>
      <output class="muted">{said.value}</output>
    </form>
  );
}

/** @throws Error saying what is wrong with it */
function messageOf(receiver: string, type: string, payload: string): OperatorMessage {
  const sessionId = receiver.slice(receiver.indexOf(":") + 1);
  const kind = receiver.slice(0, receiver.indexOf(":"));
  const to = kind === "room" ? { kind, fromSessionId: sessionId } : { kind, sessionId };
  const parsed = operatorMessageSchema.safeParse({
    to,
    // Colyseus tells 7 and "7" apart; whoever means the string writes it with its quotes.
    type: /^\d+$/.test(type) ? Number(type) : type.replace(/^"(.*)"$/, "$1"),
    ...(payload.trim() !== "" && { payload: json(payload) }),
  });
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  return parsed.data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the payload is not JSON; write text as "text"');
  }
}
