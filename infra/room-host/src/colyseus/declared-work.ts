/** What a room class says that its rooms compute: `static work`. */
import { roomWorkSchema } from "@centroid/protocol";
import type { RoomMarks } from "@centroid/room";

type DeclaredWork = NonNullable<RoomMarks["work"]>;

/** @throws Error if it is declared as something else */
export function declaredWork(name: string, klass: RoomMarks): DeclaredWork | undefined {
  if (klass.work === undefined) return undefined;
  const parsed = roomWorkSchema.safeParse(klass.work);
  if (!parsed.success)
    throw new Error(
      `room "${name}": static work must be { msPerRequest, perSecond }, two numbers of at least 0`,
    );
  return parsed.data;
}
