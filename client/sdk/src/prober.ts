/** Measures round trips to beacons: one WebSocket per host and round, a few echoes, closed again. */
import type { Beacon, ProbeReport } from "@centroid/protocol";
import { PlatformWebSocket } from "#websocket";

/** Echoes per host and round; the first pays for the connection's slow start and is not counted. */
const ECHOES = 4;
/** No answer within this is a loss. */
const ECHO_TIMEOUT_MS = 1_500;
const CONNECT_TIMEOUT_MS = 3_000;

/** Probes every beacon at the same time. A host that cannot be reached is reported as lost probes. */
export async function probeAll(beacons: readonly Beacon[], signal?: AbortSignal): Promise<ProbeReport[]> {
  return Promise.all(beacons.map((beacon) => probe(beacon, signal)));
}

async function probe(beacon: Beacon, signal: AbortSignal | undefined): Promise<ProbeReport> {
  const rttsMs: number[] = [];
  let lost = 0;
  const socket = new PlatformWebSocket(beacon.url);
  socket.binaryType = "arraybuffer";
  const abort = (): void => socket.close();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await opened(socket);
    for (let echo = 0; echo < ECHOES; echo++) {
      const rttMs = await echoOnce(socket, echo);
      if (echo === 0) continue;
      if (rttMs === undefined) lost++;
      else rttsMs.push(rttMs);
    }
  } catch {
    lost = ECHOES - 1 - rttsMs.length;
  } finally {
    signal?.removeEventListener("abort", abort);
    socket.close();
  }
  return { hostId: beacon.hostId, rttsMs, lost };
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), CONNECT_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.onclose = socket.onerror = () => {
      clearTimeout(timer);
      reject(new Error("closed"));
    };
  });
}

function echoOnce(socket: WebSocket, number: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ECHO_TIMEOUT_MS);
    const sentAtMs = performance.now();
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      // A late answer to an earlier probe is not this one's.
      if (new Uint8Array(data)[0] !== number) return;
      clearTimeout(timer);
      resolve(performance.now() - sentAtMs);
    };
    socket.onclose = () => {
      clearTimeout(timer);
      reject(new Error("closed"));
    };
    socket.send(new Uint8Array([number]));
  });
}
