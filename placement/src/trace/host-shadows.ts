/** Hosts as a trace has them: views are live, so each is compared with what was last told of it. */
import type { HostView } from "../decide/types.js";

export class HostShadows {
  readonly #hosts = new Map<string, HostView>();

  /** @returns the host as it is now, kept as told */
  tell(view: HostView): HostView {
    const host = asItIs(view);
    this.#hosts.set(host.hostId, host);
    return host;
  }

  forget(hostId: string): void {
    this.#hosts.delete(hostId);
  }

  /** Whether anything is not as it was told. */
  isNews(view: HostView): boolean {
    const told = this.#hosts.get(view.hostId);
    return told === undefined || !isSame(told, view);
  }
}

function asItIs(view: HostView): HostView {
  const { hostId, state, capacityRooms, rooms, load, carriers, region, costPerHour, roomTypes } = view;
  const { speed, work } = view;
  return {
    hostId,
    state,
    capacityRooms,
    rooms,
    load,
    carriers: [...carriers],
    region,
    ...(costPerHour !== undefined && { costPerHour }),
    ...(roomTypes !== undefined && { roomTypes: [...roomTypes] }),
    ...(speed !== undefined && { speed: { ...speed } }),
    ...(work !== undefined && { work: { ...work } }),
  };
}

/** Field by field: whoever records asks for every host whenever a room is looked at. */
function isSame(told: HostView, now: HostView): boolean {
  if (told.load !== now.load || told.rooms !== now.rooms || told.state !== now.state) return false;
  if (told.capacityRooms !== now.capacityRooms || told.region !== now.region) return false;
  if (told.costPerHour !== now.costPerHour) return false;
  const { speed, work } = now;
  return (
    isSameList(told.carriers, now.carriers) &&
    isSameList(told.roomTypes, now.roomTypes) &&
    told.speed?.oneCore === speed?.oneCore &&
    told.speed?.allCores === speed?.allCores &&
    told.speed?.cores === speed?.cores &&
    told.work?.busyMsPerSecond === work?.busyMsPerSecond &&
    told.work?.playerMs === work?.playerMs
  );
}

function isSameList(told: readonly string[] | undefined, now: readonly string[] | undefined): boolean {
  if (told === undefined || now === undefined) return told === now;
  if (told.length !== now.length) return false;
  for (let i = 0; i < told.length; i++) if (told[i] !== now[i]) return false;
  return true;
}
