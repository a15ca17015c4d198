/** WebSocket on Node: the platform's where it has one (22+), else `ws`. */
import { WebSocket as NodeWebSocket } from "ws";

// Colyseus' SDK looks for the global; on Node 20 its reconnection fails without it.
globalThis.WebSocket ??= NodeWebSocket as unknown as typeof WebSocket;

export const PlatformWebSocket: typeof WebSocket = NodeWebSocket as unknown as typeof WebSocket;
