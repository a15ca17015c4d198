/**
 * One move of a room's container as its source drives it: stopped, written, sent, and ended here once the destination
 * has answered that the room runs there. Until it has been sent as far as it takes to run any failure continues it here;
 * after that only an answer does, or, if the rest of its memory follows or it has run there, nothing.
 */
import { join } from "node:path";
import { networkOf, SandboxSilenceMeter } from "@centroid/agent";
import {
  CentroidError,
  type Mechanism,
  type MigrationPhase,
  type RoomReport,
  type Transfer,
} from "@centroid/protocol";
import type { RoomMoveRequest } from "@centroid/room-host";
import type { Containers } from "../container/containers.js";
import { ImageFolder } from "../container/image-folder.js";
import { removeMark, writeMark } from "../container/move-mark.js";
import { privateBytes, stopPrograms } from "../container/processes.js";
import type { Criu } from "../criu/criu.js";
import { CriuWorker, DumpAbandoned } from "../criu/criu-worker.js";
import { SentPages } from "../memory/sent-pages.js";
import { copyAhead } from "./copy-ahead.js";
import { sendFolder } from "./image-files.js";
import { dialDestination, type ImageWire } from "./image-wire.js";
import { LaterPages } from "./later-pages.js";
import { type ContainerOffer, containerMisfit, offeredPlace, readContainerOffer } from "./offer.js";
import { type ContainerMechanism, type ContainerPredictor, goesAhead, isLazy } from "./predict.js";
import { awaitAnswer, Refused, sendWhileItRuns } from "./source-answers.js";

/** The silence of a room that has not beaten by then is not known; that it lives the destination has said. */
const BEAT_AGAIN_MS = 5_000;

export interface LeaveOptions {
  readonly request: RoomMoveRequest<"migrateOut">;
  readonly containers: Containers;
  readonly criu: Criu;
  /** Of the room: `ip:port`. */
  readonly address: string;
  readonly macOf: (ip: string) => string;
  readonly predictor: ContainerPredictor;
  /** The move is called off, or takes too long. */
  readonly signal: AbortSignal;
  /** The room as it is now. @throws CentroidError if it does not answer */
  readonly report: () => Promise<RoomReport>;
  /** Resolves when the broker has the room as it is now. @throws CentroidError if it cannot be saved */
  readonly save: () => Promise<unknown>;
  /** Lets the room host finish what it is saying to this agent. */
  readonly hangUp: () => Promise<void>;
  readonly onPhase: (phase: MigrationPhase, bytes: number) => void;
}

export type LeaveResult =
  | { readonly owner: "source"; readonly error: CentroidError }
  | { readonly owner: "destination"; readonly transfer: Transfer }
  /** It stays stopped until the broker has asked the destination. */
  | { readonly owner: "unknown"; readonly error: CentroidError; readonly report: RoomReport }
  /** It has ended here, and does not run elsewhere: it comes back from its checkpoint. */
  | { readonly owner: "none"; readonly error: CentroidError };

/** Never rejects. A room whose owner is still the source is running again, but for its line to the agent. */
export async function leaveForHost(options: LeaveOptions): Promise<LeaveResult> {
  const { request, containers, signal } = options;
  const { roomId } = request;
  const { hostId, ticket, transferUrl } = request.destination;
  const progress: Progress = { stopped: false, saved: false, shipped: undefined, divided: false, phases: [] };
  try {
    enter(options, progress, "preparing");
    const offer = readContainerOffer(ticket);
    const problem = containerMisfit(offeredPlace(containers.config, containers.user), hostId, offer);
    if (offer === undefined || problem !== undefined) throw stays(problem ?? "no offer");
    using wire = await dialDestination(transferUrl, request.migrationId, offer.secret);
    return { owner: "destination", transfer: await leave(options, offer, wire, progress) };
  } catch (cause) {
    const { shipped: report, divided, saved } = progress;
    const refused = cause instanceof Refused;
    if (divided && !(refused && !cause.ran)) return endHere(containers, roomId, IN_TWO_PLACES, cause);
    // Players have heard of it from there, and its connections have gone on or been reset: here they would hang.
    if (refused && cause.ran && saved) return endHere(containers, roomId, RAN_ELSEWHERE, cause);
    if (cause instanceof DumpAbandoned) return endHere(containers, roomId, ENDED_HERE, cause);
    const error = stays(CentroidError.from(cause).message, cause);
    const called = signal.aborted && signal.reason instanceof CalledOff;
    if (report !== undefined && !refused && !called) return { owner: "unknown", error, report };
    if (!progress.stopped) return { owner: "source", error };
    return resume(containers, roomId).then(
      () => ({ owner: "source", error }),
      () => endHere(containers, roomId, ENDED_HERE, cause),
    );
  }
}

const IN_TWO_PLACES = "was lost while its memory was in two places";
const RAN_ELSEWHERE = "ran on the other host and did not answer there";
const ENDED_HERE = "ended where it was";

async function endHere(
  containers: Containers,
  roomId: string,
  how: string,
  cause: unknown,
): Promise<LeaveResult> {
  await containers.destroy(roomId).catch(() => undefined);
  const { message } = CentroidError.from(cause);
  const why = `the container ${how}: ${message}; the room is restored from its last checkpoint`;
  return { owner: "none", error: new CentroidError("MIGRATION_FAILED", why, { cause }) };
}

/** Reason of the signal when the broker, who has asked the destination, calls the move off. */
export class CalledOff extends CentroidError {
  constructor() {
    super("MIGRATION_FAILED", "the move was called off");
  }
}

/** A room that was stopped for a move runs here again. */
export async function resume(containers: Containers, roomId: string): Promise<void> {
  await containers.continue(roomId);
  await removeMark(containers.folder(roomId));
}

interface Progress {
  stopped: boolean;
  /** The broker has the room as it was when the move began, or later. */
  saved: boolean;
  /** What the room was like, once everything has been sent. */
  shipped: RoomReport | undefined;
  /** The destination may run it and lacks memory that is here. */
  divided: boolean;
  readonly phases: Transfer["phases"];
}

async function leave(
  options: LeaveOptions,
  offer: ContainerOffer,
  wire: ImageWire,
  progress: Progress,
): Promise<Transfer> {
  const { request, containers, criu, address, signal, predictor } = options;
  const { roomId, migrationId } = request;
  const { config } = containers;
  const [ip = ""] = address.split(":");
  const pid = await containers.require(roomId);
  const ownBytes = await privateBytes(pid);
  const ordered = mechanismOf(request.mechanism);
  if (ordered !== undefined && isLazy(ordered) && offer.noLazyPages !== undefined)
    throw stays(`${request.destination.hostId} cannot do ${ordered}: ${offer.noLazyPages}`);
  const wanted = ordered ?? predictor.choose(ownBytes);
  const { prefixBits } = networkOf(config.network);
  const { gateway } = config;
  const mac = options.macOf(ip);
  const place = { ip, mac, prefixBits, ...(gateway !== undefined && { gateway }) };
  wire.send({ type: "prepare", address: place });
  await awaitAnswer(wire, "prepared", signal);
  await using images = await ImageFolder.make(config);
  await using criuWorker = new CriuWorker(criu, {
    images: images.path,
    work: containers.folder(roomId),
    card: { name: await containers.card(roomId), bridge: config.bridge },
    within: pid,
  });
  using silence = await SandboxSilenceMeter.open(ip);
  // A silence is measured from a beat on; one that begins before the first is not seen.
  await silence?.beatsAgain(BEAT_AGAIN_MS);

  const lazy = isLazy(wanted);
  // Of use should it fail after it has run there.
  const saving = lazy
    ? undefined
    : options.save().then(
        () => true,
        () => false,
      );
  using sent = new SentPages(join(images.path, "sent"));
  const rounds = goesAhead(wanted) ? await copyAhead(pid, sent, wire, signal) : 0;
  // Of a room that cannot be saved the memory is never in two places: it does not move.
  if (lazy) await options.save();
  progress.saved = (await saving) === true;
  const mechanism = mechanismBy(rounds > 0, lazy);
  const predicted = predictor.predict(mechanism, ownBytes);
  const report = await options.report();
  await writeMark(containers.folder(roomId), { state: "leaving", migrationId, report });
  progress.stopped = true;
  await options.hangUp();
  signal.throwIfAborted();

  enter(options, progress, "frozen");
  const startedAtMs = performance.now();
  criuWorker.hurry();
  // Programs first: what they send to a card without a network waits for TCP's next attempt.
  await stopPrograms(pid);
  await criuWorker.dump(pid);
  signal.throwIfAborted();
  enter(options, progress, "copying");
  const later = lazy ? new LaterPages() : undefined;
  await sendFolder(wire, images.path, rounds > 0 || lazy ? sent : undefined, later);
  if (lazy) {
    await writeMark(containers.folder(roomId), { state: "divided", migrationId });
    signal.throwIfAborted();
    progress.divided = true;
  }
  signal.throwIfAborted();
  progress.shipped = report;
  enter(options, progress, "switching", wire.bytesSent);
  wire.send({ type: "restore", ahead: rounds, lazy });
  let tookMs = 0;
  const running = (): void => {
    tookMs = performance.now() - startedAtMs;
  };
  if (later !== undefined) await sendWhileItRuns(wire, later, signal, running);
  else {
    await awaitAnswer(wire, "accepted", signal);
    running();
  }
  await criuWorker[Symbol.asyncDispose]();
  const bytes = wire.bytesSent;

  enter(options, progress, "releasing", bytes);
  await containers.destroy(roomId).catch(() => undefined);
  predictor.learn(mechanism, predicted, tookMs, bytes);
  const measured = silence !== undefined && (await silence.beatsAgain(BEAT_AGAIN_MS));
  endPhase(progress.phases);
  return {
    mechanism,
    bytes,
    rounds: 1 + rounds,
    phases: progress.phases,
    predicted,
    ...(measured && { silenceMs: silence.longestMs }),
  };
}

/** What was ordered; nothing if it is to be chosen. @throws CentroidError */
function mechanismOf(ordered: Mechanism): ContainerMechanism | undefined {
  switch (ordered) {
    case "stop-and-copy":
    case "precopy":
    case "postcopy":
    case "hybrid":
      return ordered;
    case "auto":
      return undefined;
    default:
      throw stays(`containers do not move by ${ordered}`);
  }
}

function mechanismBy(isAhead: boolean, lazy: boolean): ContainerMechanism {
  if (lazy) return isAhead ? "hybrid" : "postcopy";
  return isAhead ? "precopy" : "stop-and-copy";
}

function enter(options: LeaveOptions, { phases }: Progress, phase: MigrationPhase, bytes = 0): void {
  endPhase(phases);
  phases.push({ phase, atMs: Date.now(), durationMs: 0 });
  options.onPhase(phase, bytes);
}

function endPhase(phases: Transfer["phases"]): void {
  const last = phases.at(-1);
  if (last !== undefined) last.durationMs = Date.now() - last.atMs;
}

const stays = (why: string, cause?: unknown): CentroidError =>
  new CentroidError("MIGRATION_FAILED", `the container stays where it was: ${why}`, { cause });
