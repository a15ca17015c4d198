/** WebSocket in a browser: the platform's. */
export const PlatformWebSocket: typeof WebSocket = globalThis.WebSocket;
