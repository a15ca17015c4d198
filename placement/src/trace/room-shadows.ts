/** Rooms as a trace has them: what changes is told in lines, and lines give the rooms again. */
import type { RoomFacts, TraceInput } from "./trace.js";

type RoomChange = Extract<
  TraceInput,
  { type: "room" | "joined" | "left" | "moved" | "work" | "activity" | "weights" }
>;

export class RoomShadows {
  readonly #rooms = new Map<string, RoomFacts>();

  get(roomId: string): RoomFacts | undefined {
    return this.#rooms.get(roomId);
  }

  forget(roomId: string): void {
    this.#rooms.delete(roomId);
  }

  /** What has to be told for others to have the room as it is now; kept as told. */
  changes(room: RoomFacts, atMs: number): RoomChange[] {
    const { roomId, name, carrier, hostId, work, activity, weights } = room;
    const known = this.#rooms.get(roomId);
    this.#rooms.set(roomId, { ...room, playerIds: [...room.playerIds] });
    const lines: RoomChange[] = [];
    if (known === undefined) lines.push({ type: "room", atMs, roomId, name, carrier });
    if (hostId !== undefined && hostId !== known?.hostId) lines.push({ type: "moved", atMs, roomId, hostId });
    if (work?.msPerRequest !== known?.work?.msPerRequest || work?.perSecond !== known?.work?.perSecond)
      lines.push({ type: "work", atMs, roomId, ...(work !== undefined && { work: { ...work } }) });
    if (activity !== known?.activity)
      lines.push({ type: "activity", atMs, roomId, ...(activity !== undefined && { activity }) });
    if (weights !== known?.weights)
      lines.push({ type: "weights", atMs, roomId, ...(weights !== undefined && { weights: [...weights] }) });
    // Order counts to the last bit of a sum, so all from the first difference leave and join again.
    const before = known?.playerIds ?? [];
    const now = new Set(room.playerIds);
    const left = before.filter((playerId) => now.has(playerId));
    let same = 0;
    while (same < left.length && left[same] === room.playerIds[same]) same++;
    const kept = new Set(left.slice(0, same));
    for (const playerId of before)
      if (!kept.has(playerId)) lines.push({ type: "left", atMs, roomId, playerId });
    for (const playerId of room.playerIds.slice(same)) lines.push({ type: "joined", atMs, roomId, playerId });
    return lines;
  }

  apply(line: RoomChange): void {
    const { roomId } = line;
    if (line.type === "room") {
      const { name, carrier } = line;
      this.#rooms.set(roomId, { roomId, name, carrier, hostId: undefined, playerIds: [] });
      return;
    }
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    switch (line.type) {
      case "moved":
        this.#rooms.set(roomId, { ...room, hostId: line.hostId });
        return;
      case "joined":
        this.#rooms.set(roomId, { ...room, playerIds: [...room.playerIds, line.playerId] });
        return;
      case "left":
        this.#rooms.set(roomId, { ...room, playerIds: room.playerIds.filter((id) => id !== line.playerId) });
        return;
      case "work":
        this.#rooms.set(roomId, { ...room, work: line.work });
        return;
      case "activity":
        this.#rooms.set(roomId, { ...room, activity: line.activity });
        return;
      case "weights":
        this.#rooms.set(roomId, { ...room, weights: line.weights && new Map(line.weights) });
        return;
      default: {
        const never: never = line;
        throw new RangeError(`unknown change ${JSON.stringify(never)}`);
      }
    }
  }
}
