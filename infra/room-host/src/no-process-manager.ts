/**
 * Keeps `@pm2/io`, which Colyseus loads where it is installed, out of a room host: it would send pm2's messages over
 * the agent's channel and end the process when that closes, before rooms have run their `onDispose()`. It looks for an
 * instance under a global symbol first; this one takes every call and does nothing.
 */
export function withoutProcessManager(): void {
  const nothing: unknown = new Proxy(() => undefined, {
    get: (_, name) => (name === "then" || typeof name === "symbol" ? undefined : nothing),
    apply: () => nothing,
  });
  Reflect.set(globalThis, Symbol.for("@pm2/io"), nothing);
}
