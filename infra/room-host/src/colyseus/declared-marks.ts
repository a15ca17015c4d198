/** What a room class says of itself in static fields, which may be anything where nobody checks types. */
import { roomWorkSchema } from "@centroid/protocol";
import type { RoomMarks } from "@centroid/room";

type DeclaredWork = NonNullable<RoomMarks["work"]>;

/**
 * What it says that its rooms compute: `static work`.
 * @throws Error if it is declared as something else
 */
export function declaredWork(name: string, klass: RoomMarks): DeclaredWork | undefined {
  if (klass.work === undefined) return undefined;
  const parsed = roomWorkSchema.safeParse(klass.work);
  if (!parsed.success)
    throw new Error(
      `room "${name}": static work must be { msPerRequest, perSecond }, two numbers of at least 0`,
    );
  return parsed.data;
}

/**
 * How its players count: `static weights`. Only that they all count the same can be said.
 * @throws Error if it is declared as something else
 */
export function checkWeights(name: string, klass: { weights?: unknown }): void {
  if (klass.weights !== undefined && klass.weights !== "equal")
    throw new Error(
      `room "${name}": static weights must be "equal", or left out if players count by what they say and see; a field of the room's own needs another name`,
    );
}
