/** One move of a room's VM as its source drives it: the migration, the phases it tells, the silence. */
import { SandboxSilenceMeter, sandboxNameOf } from "@centroid/agent";
import { type Connection, Connection as Libvirt } from "@centroid/node-libvirt";
import {
  type AgentRequest,
  CentroidError,
  type Mechanism,
  type MigrationPhase,
  type Transfer,
} from "@centroid/protocol";
import type { VmConfig } from "../base/config.js";
import { reconcile } from "../rooms/reconcile.js";
import type { MigrationPredictor } from "./learned-costs.js";
import { migrateGuest } from "./migrate.js";
import type { VmMigrationOutcome, VmMode } from "./migration-options.js";
import { misfit, readOffer } from "./peer-offer.js";

/** The silence of a guest that has not beaten by then is not known; whether it lives its destination says. */
const BEAT_AGAIN_MS = 10_000;
/** How often hosts that do not answer are asked again where the VM is. */
const ASK_AGAIN_MS = 15_000;

export interface RoomMoveOptions {
  readonly request: Extract<AgentRequest, { method: "migrateOut" }>;
  readonly hostId: string;
  readonly vm: VmConfig;
  /** The room's own. */
  readonly address: string;
  readonly connection: Connection;
  readonly predictor: MigrationPredictor;
  readonly signal: AbortSignal;
  /** Keeps the room's state where the loss of both hosts does not reach it. */
  readonly save: () => Promise<unknown>;
  readonly onPhase: (phase: MigrationPhase, bytes: number) => void;
}

export type RoomMoveResult =
  | { readonly owner: "source"; readonly error: CentroidError; readonly transfer?: undefined }
  | { readonly owner: "destination"; readonly transfer: Transfer; readonly error?: undefined }
  /** No copy lives: the room comes back from its checkpoint. */
  | { readonly owner: "none"; readonly error: CentroidError; readonly transfer?: undefined };

class Phases {
  readonly list: Transfer["phases"] = [];
  readonly #onPhase: RoomMoveOptions["onPhase"];

  constructor(onPhase: RoomMoveOptions["onPhase"]) {
    this.#onPhase = onPhase;
  }

  enter(phase: MigrationPhase, bytes = 0): void {
    if (this.list.at(-1)?.phase === phase) return;
    this.end();
    this.list.push({ phase, atMs: Date.now(), durationMs: 0 });
    this.#onPhase(phase, bytes);
  }

  end(): void {
    const last = this.list.at(-1);
    if (last !== undefined) last.durationMs = Date.now() - last.atMs;
  }
}

function modeOf(mechanism: Mechanism): VmMode | "auto" {
  switch (mechanism) {
    case "precopy":
    case "postcopy":
      return mechanism;
    // Pre-copy with the way to post-copy open, by cost: also when nothing in particular was asked for.
    default:
      return "auto";
  }
}

/** Never rejects for a move that failed: the result says who has the room. */
export async function moveRoomVm(options: RoomMoveOptions): Promise<RoomMoveResult> {
  const { request, connection, signal } = options;
  const phases = new Phases(options.onPhase);
  phases.enter("preparing");
  const domain = await connection.lookupByName(sandboxNameOf(request.roomId));
  const { hostId: destinationId, ticket } = request.destination;
  const problem = misfit(options.vm, await domain.getXml(), destinationId, readOffer(ticket));
  if (problem !== undefined)
    return { owner: "source", error: new CentroidError("MIGRATION_FAILED", `the VM stays here: ${problem}`) };
  const { uuid } = domain;
  const peerUri = `qemu+${request.destination.transferUrl}/system`;
  const sides = {
    source: { hostId: options.hostId, connect: () => Libvirt.open(options.vm.libvirtUri) },
    destination: { hostId: request.destination.hostId, connect: () => Libvirt.open(peerUri), peerUri },
  };
  const mode = modeOf(request.mechanism);
  // A room that cannot be saved never has its memory in two places; asked for that, it does not move.
  const savable =
    mode === "postcopy" ||
    (mode !== "precopy" &&
      (await options.save().then(
        () => true,
        () => false,
      )));
  using pulse = await SandboxSilenceMeter.open(options.address.split(":")[0] ?? "");
  const outcome = await migrateGuest({
    ...sides,
    uuid,
    mode,
    deadlineMs: request.deadlineMs,
    predictor: options.predictor,
    signal,
    ...(savable && { checkpoint: async () => void (await options.save()) }),
    onProgress: (progress) => {
      if (progress.step === "started") phases.enter("copying");
      if (progress.step === "post-copy") phases.enter("switching");
      if (progress.step === "reconciling") phases.enter("releasing");
    },
  });
  let owner = outcome.owner;
  while (owner === "unknown" && !signal.aborted) {
    ({ owner } = await reconcile(sides.source, sides.destination, uuid, {
      switched: outcome.mechanism !== "precopy",
      timeoutMs: ASK_AGAIN_MS,
    }));
  }
  // Awaited here: the pulse ends with this function.
  return await conclude(owner, outcome, pulse, phases);
}

async function conclude(
  owner: VmMigrationOutcome["owner"],
  outcome: VmMigrationOutcome,
  pulse: SandboxSilenceMeter | undefined,
  phases: Phases,
): Promise<RoomMoveResult> {
  const why = outcome.error?.message ?? outcome.because;
  if (owner === "source")
    return {
      owner,
      error: new CentroidError("MIGRATION_FAILED", `the VM keeps running where it was: ${why}`),
    };
  if (owner !== "destination") {
    const text = `the VM was lost in ${outcome.mechanism}: ${why}; the room is restored from its last checkpoint`;
    return { owner: "none", error: new CentroidError("MIGRATION_FAILED", text) };
  }
  phases.enter("releasing", outcome.bytes);
  const measured = pulse !== undefined && (await pulse.beatsAgain(BEAT_AGAIN_MS));
  phases.end();
  return {
    owner,
    transfer: {
      mechanism: outcome.mechanism,
      bytes: outcome.bytes,
      rounds: outcome.iterations,
      phases: phases.list,
      ...(outcome.prediction !== undefined && {
        predicted: {
          totalMs: outcome.prediction.totalMs,
          bytes: outcome.prediction.bytes,
          because: outcome.because,
        },
      }),
      ...(measured && { silenceMs: pulse.longestMs }),
    },
  };
}
