/** A stock client's session behind a gateway, with connections to the room's host and to its standby. */
import { encodeControl } from "@centroid/protocol";
import { expect, it } from "vitest";
import { HeldSession } from "../../infra/gateway/dist/sessions/held-session.js";
import type { UpstreamSocket } from "../../infra/gateway/dist/sessions/session-dialer.js";

const host = { hostId: "a", name: "A", latitude: 0, longitude: 0 };
/** Colyseus' answer to a seat: code, length of the token, token. */
const HANDSHAKE = Buffer.from([10, 5, ..."token".split("").map((letter) => letter.charCodeAt(0)), 0]);

const upstream = (): UpstreamSocket => ({
  ...{ readyState: 1, slow: false, onopen: null, onmessage: null, onclose: null, onerror: null },
  ...{ send: () => undefined, close: () => undefined },
});

it("has the room's host wait for a player who reads slowly, and its standby too, whichever was dialled last", () => {
  const dialled: UpstreamSocket[] = [];
  const session = new HeldSession({
    ...{ url: "ws://gateway/p/r?sessionId=s", roomId: "r", sessionId: "s" },
    open: () => ({ send: () => undefined, close: () => undefined }) as never,
    dialer: {
      dial: () => {
        const socket = upstream();
        dialled.push(socket);
        return socket;
      },
    } as never,
    route: { epoch: 1 } as never,
    asker: {} as never,
    directory: {} as never,
    onMeasured: () => undefined,
  });
  const [first] = dialled;
  first?.onopen?.({});
  first?.onmessage?.({ data: HANDSHAKE });
  first?.onmessage?.({ data: encodeControl({ type: "standby", url: "ws://b/p/r?sessionId=s", host }) });
  expect(dialled).toHaveLength(2);
  session.slow(true);
  expect(dialled.map(({ slow }) => slow)).toEqual([true, true]);
  session.slow(false);
  expect(dialled.map(({ slow }) => slow)).toEqual([false, false]);
  session.closed(1000);
});
