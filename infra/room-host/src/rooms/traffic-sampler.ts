/**
 * What passes between a room and each of its players, so that it runs nearest to those between whom most passes. Nothing is
 * done per frame: the counters that each connection has are read twice a second.
 */
import { MAX_TOLD_PLAYERS, type RoomTraffic } from "@centroid/protocol";
import type { RoomMarks } from "@centroid/room";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import type { SessionLink } from "../sessions/session-link.js";

const MS_PER_S = 1_000;
/** Of a room without patches, frames a second that others can tell apart. */
const USUAL_PER_S = 20;
/** Players are alike if none says or sees more or less than the mean by this share. */
const ALIKE_SHARE = 0.25;
/** Reports that say that all are alike before nothing is told: by then the broker has all but forgotten what was before. */
const SETTLED_REPORTS = 24;

interface Counted {
  /** As they were at the last sample. */
  received: number;
  sent: number;
  /** Since the last report. */
  says: number;
  sees: number;
}

export class TrafficSampler {
  readonly #room: MovableRoom;
  readonly #sampleMs: number;
  readonly #counts = new WeakMap<SessionLink, Counted>();
  #samples = 0;
  #alike = 0;

  /** @param sampleMs between two samples */
  constructor(room: MovableRoom, sampleMs: number) {
    this.#room = room;
    this.#sampleMs = sampleMs;
  }

  /** Adds what has passed since the last sample. */
  sample(): void {
    const clients = movableClients(this.#room);
    const most = this.#mostPerSample();
    this.#samples++;
    let told = 0;
    for (const { link } of clients) told += link.sent - (this.#counts.get(link)?.sent ?? link.sent);
    for (const { link } of clients) {
      const { received, sent } = link;
      const counted = this.#counts.get(link);
      if (counted === undefined) {
        this.#counts.set(link, { received, sent, says: 0, sees: 0 });
        continue;
      }
      const own = sent - counted.sent;
      // Where nobody else is told anything nobody else sees what it says.
      if (told > own) counted.says += Math.min(most, received - counted.received);
      counted.sees += Math.min(most, own);
      counted.received = received;
      counted.sent = sent;
    }
  }

  /** What has passed since it was taken last; undefined if there is nothing new in it. */
  take(): RoomTraffic | undefined {
    const clients = movableClients(this.#room);
    const seconds = (this.#samples * this.#sampleMs) / MS_PER_S;
    this.#samples = 0;
    if (clients.length < 2 || seconds === 0) return undefined;
    const rates = clients.map(({ sessionId, link }) => {
      const counted = this.#counts.get(link);
      const { says = 0, sees = 0 } = counted ?? {};
      if (counted !== undefined) {
        counted.says = 0;
        counted.sees = 0;
      }
      return { sessionId, says: says / seconds, sees: sees / seconds };
    });
    const mean = meanOf(rates);
    const isEqual = (this.#room.constructor as RoomMarks).weights === "equal";
    const isAlike = isEqual || rates.every((one) => isNear(one, mean));
    this.#alike = isAlike ? this.#alike + 1 : 0;
    if (this.#alike > SETTLED_REPORTS) return undefined;
    if (isAlike) return { told: [], others: mean };
    rates.sort((a, b) => b.says - a.says || b.sees - a.sees);
    return { told: rates.slice(0, MAX_TOLD_PLAYERS), others: meanOf(rates.slice(MAX_TOLD_PLAYERS)) };
  }

  /** Others see no more of it than the room's patches show: who sends more says no more. */
  #mostPerSample(): number {
    const patchRate = this.#room.patchRate ?? 0;
    const perSecond = patchRate > 0 ? MS_PER_S / patchRate : USUAL_PER_S;
    return (perSecond * this.#sampleMs) / MS_PER_S;
  }
}

type Rate = RoomTraffic["others"];

function meanOf(rates: readonly Rate[]): Rate {
  const sum = { says: 0, sees: 0 };
  for (const { says, sees } of rates) {
    sum.says += says;
    sum.sees += sees;
  }
  const count = Math.max(1, rates.length);
  return { says: sum.says / count, sees: sum.sees / count };
}

const isNear = (one: Rate, mean: Rate): boolean =>
  Math.abs(one.says - mean.says) <= ALIKE_SHARE * mean.says &&
  Math.abs(one.sees - mean.sees) <= ALIKE_SHARE * mean.sees;
