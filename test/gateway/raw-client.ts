/**
 * A Colyseus client of forty lines, written from the wire protocol's description and with nothing of Colyseus in it: one
 * WebSocket, and every frame as it came. Stands for clients in other languages.
 */
import { once } from "node:events";
import { WebSocket } from "ws";

/** Codes of frames (Protocol). */
const JOIN_ROOM = 10;
const LEAVE_ROOM = 12;
const ROOM_DATA = 13;

export class RawClient {
  readonly frames: Buffer[] = [];
  /** As the handshake names it. */
  token = "";
  closed: number | undefined;
  readonly #socket: WebSocket;
  readonly roomId: string;
  readonly sessionId: string;

  private constructor(url: string, roomId: string, sessionId: string, from: string | undefined) {
    this.roomId = roomId;
    this.sessionId = sessionId;
    this.#socket = new WebSocket(url, { ...(from !== undefined && { localAddress: from }) });
    this.#socket.on("message", (frame: Buffer) => {
      this.frames.push(frame);
      if (frame[0] !== JOIN_ROOM) return;
      const length = frame[1] ?? 0;
      this.token = frame.subarray(2, 2 + length).toString();
      this.#socket.send(Buffer.from([JOIN_ROOM]));
    });
    this.#socket.on("close", (code) => {
      this.closed = code;
    });
  }

  /**
   * Takes a seat, and dials where it asked for it, whatever address the answer names.
   * @param slash between address and path
   * @param from the address of its own that it dials from
   */
  static async join(
    origin: string,
    roomName: string,
    { slash = "/", from }: { slash?: string; from?: string } = {},
  ): Promise<RawClient> {
    const answer = await fetch(`${origin}/matchmake/joinOrCreate/${roomName}`, { method: "POST", body: "" });
    const { roomId, processId, sessionId } = (await answer.json()) as Record<string, string>;
    const url = `${origin.replace("http", "ws")}${slash}${processId}/${roomId}?sessionId=${sessionId}`;
    const client = new RawClient(url, roomId ?? "", sessionId ?? "", from);
    await once(client.#socket, "message");
    return client;
  }

  /** A message of a type with a number as body: MessagePack, 5 bytes at most. */
  say(type: string, number: number): void {
    const body = Buffer.alloc(5);
    body[0] = 0xce;
    body.writeUInt32BE(number, 1);
    const name = Buffer.from(type);
    this.#socket.send(Buffer.concat([Buffer.from([ROOM_DATA, 0xa0 | name.byteLength]), name, body]));
  }

  /** Messages of the room of that type whose body is a whole number, in the order in which they came. */
  numbers(type: string): number[] {
    const name = Buffer.from(type);
    const head = Buffer.concat([Buffer.from([ROOM_DATA, 0xa0 | name.byteLength]), name]);
    return this.frames
      .filter((frame) => frame.subarray(0, head.byteLength).equals(head))
      .map((frame) => wholeNumber(frame.subarray(head.byteLength)));
  }

  leave(): void {
    this.#socket.send(Buffer.from([LEAVE_ROOM]));
  }
}

/** MessagePack's unsigned integers. */
function wholeNumber(body: Buffer): number {
  const first = body[0] ?? 0;
  if (first < 0x80) return first;
  if (first === 0xcc) return body.readUInt8(1);
  if (first === 0xcd) return body.readUInt16BE(1);
  return body.readUInt32BE(1);
}
