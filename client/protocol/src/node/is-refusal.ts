/** What a dial that failed says about the other end. */

/** Nobody listens there, on any address of that name: whoever did has ended. Silence may be the network's. */
export function isRefusal(cause: NodeJS.ErrnoException): boolean {
  const each = cause instanceof AggregateError ? (cause.errors as NodeJS.ErrnoException[]) : [cause];
  return each.every(({ code }) => code === "ECONNREFUSED");
}
