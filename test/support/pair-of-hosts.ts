/** Two real room hosts and a matchmaker of thirty lines: enough to move a room between processes by hand. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CENTROID_OPTIONS_KEY,
  CentroidError,
  PROTOCOL_VERSION,
  type RoomEvent,
  type Transfer,
} from "@centroid/protocol";
import { CentroidClient } from "@centroid/sdk";
import type { Isolation } from "../../infra/agent/dist/carrier/choose-process.js";
import { ProcessCarrier } from "../../infra/agent/dist/carrier/process-carrier.js";
import { bundleRooms } from "../../infra/room-host/dist/bundling/bundle-rooms.js";
import { closeServer } from "./close-server.js";

export type HostId = "a" | "b";
const OWNED_WITHIN_MS = 10_000;
const host = (hostId: HostId) => ({ hostId, name: hostId.toUpperCase(), latitude: 0, longitude: 0 });

export interface Told {
  hostId: HostId;
  roomId: string;
  epoch: number;
  change: RoomEvent;
}

export class PairOfHosts implements AsyncDisposable {
  readonly carriers: Record<HostId, ProcessCarrier>;
  readonly told: Told[] = [];
  /** What an operator would read. */
  readonly notices: string[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #server = createServer((request, response) => {
    this.#answer(request).then(
      (body) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body)),
      (error: Error) =>
        response
          .writeHead(500)
          .end(
            JSON.stringify(
              error instanceof CentroidError
                ? { error: error.toWire() }
                : { code: 520, error: error.message },
            ),
          ),
    );
  });
  readonly owner = new Map<string, { hostId: HostId; epoch: number }>();
  readonly #types = new Map<string, string>();
  /** Rooms whose process ended, and which nobody restores. */
  readonly #gone = new Set<string>();
  /** Players who ask where their room is hear that nobody knows yet. */
  hidesRooms = false;
  /** Where players are told to go instead of a host's own address. */
  via: (address: string, hostId: HostId) => string = (address) => address;
  /** The same for a host that brings a room. */
  between: (address: string, hostId: HostId) => string = (address, hostId) => this.via(address, hostId);
  readonly #folder: string;
  #next = 1;

  /** Whether checkpoints reach whoever keeps them. */
  #saves = true;
  /** Rooms whose standby is at the other host. */
  readonly #standbys = new Map<string, string>();
  /** The last checkpoint of each room. */
  readonly #saved = new Map<string, { takenAtMs: number; data: string }>();

  private constructor(
    bundle: string,
    folder: string,
    maxFramesPerSecond: number,
    maxBytesPerSecond: number,
    checkpointIntervalMs: number,
    compareIntervalMs: number,
    isolation: Isolation,
  ) {
    this.#folder = folder;
    const make = (hostId: HostId): ProcessCarrier =>
      new ProcessCarrier({
        hostId,
        bindHost: "127.0.0.1",
        advertiseHost: "127.0.0.1",
        roomsBundle: bundle,
        checkpointIntervalMs,
        compareIntervalMs,
        environment: {},
        maxFramesPerSecond,
        maxBytesPerSecond,
        isolation,
        events: {
          checkpoint: ({ roomId, epoch, seq, takenAtMs, data }) => {
            if (!this.#saves) return;
            this.#saved.set(roomId, { takenAtMs, data });
            this.carriers[hostId].checkpointed(roomId, epoch, seq);
            for (const listener of [...this.#listeners]) listener();
          },
          ask: () => Promise.reject(new Error("there is no broker")),
          published: (said) => this.carriers[hostId === "a" ? "b" : "a"].published(said),
          room: (roomId, epoch, change) => {
            this.told.push({ hostId, roomId, epoch, change });
            if (change.event === "owned") this.owner.set(roomId, { hostId, epoch });
            if (change.event === "lost" && this.owner.get(roomId)?.hostId === hostId) this.#gone.add(roomId);
            for (const listener of [...this.#listeners]) listener();
          },
          notice: (line) => {
            this.notices.push(line);
            console.error(`[${hostId}] ${line}`);
          },
        },
      });
    this.carriers = { a: make("a"), b: make("b") };
  }

  /** @param maxFramesPerSecond of one player; by default tests may send as fast as they can */
  static async start(
    roomsDir = join(import.meta.dirname, "../fixtures/rooms"),
    maxFramesPerSecond = 0,
    maxBytesPerSecond = 0,
    checkpointIntervalMs = 0,
    compareIntervalMs = 0,
    isolation: Isolation = "shared",
  ): Promise<PairOfHosts> {
    const folder = await mkdtemp(join(tmpdir(), "centroid-pair-"));
    const { path } = await bundleRooms(roomsDir, folder);
    const pair = new PairOfHosts(
      path,
      folder,
      maxFramesPerSecond,
      maxBytesPerSecond,
      checkpointIntervalMs,
      compareIntervalMs,
      isolation,
    );
    await new Promise<void>((resolve) => pair.#server.listen(0, "127.0.0.1", resolve));
    return pair;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  client(): CentroidClient {
    return new CentroidClient(this.url, { probing: false });
  }

  async create(name: string, options: object = {}, hostId: HostId = "a"): Promise<string> {
    const roomId = `room${this.#next++}`;
    await this.carriers[hostId].handle({
      method: "createRoom",
      roomId,
      name,
      options,
      carrier: "process",
      epoch: 1,
    });
    this.owner.set(roomId, { hostId, epoch: 1 });
    this.#types.set(roomId, name);
    return roomId;
  }

  /** Resolves with the first thing told since the start (or from now on) that matches. */
  async heard(matches: (told: Told) => boolean): Promise<Told> {
    for (;;) {
      const found = this.told.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.#listeners.delete(listener);
          resolve();
        };
        this.#listeners.add(listener);
      });
    }
  }

  async move(
    roomId: string,
    change: {
      migrationId?: string;
      addresses?: Record<string, string>;
      deadlineMs?: number;
      transferUrl?: string;
      /** Once the destination is ready, and before the source is told. */
      meanwhile?: () => Promise<unknown>;
    } = {},
  ): Promise<Transfer> {
    const { hostId, epoch, to } = this.#between(roomId);
    const migrationId = change.migrationId ?? `m${this.#next++}`;
    const name = this.#types.get(roomId) ?? "ledger";
    const standbyId = this.#standbys.get(roomId);
    this.#standbys.delete(roomId);
    const { address, processId, transferUrl, ticket, promotes } = await this.carriers[to].handle({
      method: "migrateIn",
      migrationId,
      roomId,
      name,
      carrier: "process",
      epoch: epoch + 1,
      ...(standbyId && { standbyId }),
    });
    await change.meanwhile?.();
    const transfer = await this.carriers[hostId].handle({
      method: "migrateOut",
      migrationId,
      roomId,
      mechanism: "handoff",
      epoch: epoch + 1,
      destination: {
        ...host(to),
        processId,
        transferUrl: change.transferUrl ?? transferUrl.replace(address, this.between(address, to)),
        ticket,
        addresses: change.addresses ?? { "": this.via(address, to) },
      },
      ...(promotes === true && standbyId && { standbyId }),
      deadlineMs: change.deadlineMs ?? 10_000,
    });
    // The new owner's own word may come after the source's; of one that has died since it does not come.
    const owned = this.heard(
      (told) => told.roomId === roomId && told.change.event === "owned" && told.epoch === epoch + 1,
    );
    await Promise.race([owned, new Promise((resolve) => setTimeout(resolve, OWNED_WITHIN_MS).unref())]);
    return transfer;
  }

  /** Resolves when the room is saved as it is now, or later. */
  async saved(roomId: string): Promise<void> {
    const now = performance.timeOrigin + performance.now();
    while ((this.#saved.get(roomId)?.takenAtMs ?? 0) < now)
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.#listeners.delete(listener);
          resolve();
        };
        this.#listeners.add(listener);
      });
  }

  /** What rooms do from now on is in no checkpoint. */
  stopSaving(): void {
    this.#saves = false;
  }

  /** The room has a warm copy on the other host from now on, and its players know. */
  async keepStandby(roomId: string): Promise<void> {
    const { hostId, to } = this.#between(roomId);
    const standbyId = `standby-${roomId}`;
    const name = this.#types.get(roomId)!;
    const { address, processId, transferUrl, ticket } = await this.carriers[to].handle({
      method: "standBy",
      standbyId,
      roomId,
      name,
      carrier: "process",
    });
    const addresses = { "": this.via(address, to) };
    const destination = { ...host(to), processId, transferUrl, ticket, addresses };
    await this.carriers[hostId].handle({ method: "replicate", standbyId, roomId, destination });
    await this.carriers[hostId].handle({ method: "setAckPolicy", standbyId, roomId, where: "standby" });
    this.#standbys.set(roomId, standbyId);
  }

  /** The process of the room's host dies; the room goes on at the other one. */
  async lose(roomId: string, from: "checkpoint" | "standby"): Promise<void> {
    const { hostId, to, epoch } = this.#between(roomId);
    process.kill(this.carriers[hostId].pid!, "SIGKILL");
    const source =
      from === "standby"
        ? { kind: from, standbyId: `standby-${roomId}` }
        : { kind: from, data: this.#saved.get(roomId)!.data };
    this.owner.delete(roomId);
    await this.carriers[to].handle({
      method: "restoreRoom",
      migrationId: `m${this.#next++}`,
      roomId,
      name: this.#types.get(roomId)!,
      carrier: "process",
      epoch: epoch + 1,
      from: source,
    });
    this.owner.set(roomId, { hostId: to, epoch: epoch + 1 });
    this.#saves = true;
  }

  #between(roomId: string): { hostId: HostId; to: HostId; epoch: number } {
    const { hostId, epoch } = this.owner.get(roomId)!;
    return { hostId, epoch, to: hostId === "a" ? "b" : "a" };
  }

  async inspect(
    roomId: string,
  ): Promise<{ state: Record<string, unknown>; sessions: string[]; clockMs: number }> {
    const { hostId } = this.owner.get(roomId)!;
    const answer = await this.carriers[hostId].handle({ method: "inspect", roomId });
    return { ...answer, state: answer.state as Record<string, unknown> };
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const url = new URL(request.url ?? "/", this.url);
    const [, kind, method, target = "", last = ""] = url.pathname.split("/");
    if (kind === "centroid") return this.#where(last);
    let text = "";
    for await (const chunk of request) text += chunk;
    const { [CENTROID_OPTIONS_KEY]: _, ...options } = JSON.parse(text || "{}");
    const roomId =
      method === "joinById" || method === "reconnect" ? target : await this.create(target, options);
    const { hostId, epoch } = this.owner.get(roomId)!;
    const seat =
      method === "reconnect"
        ? await this.carriers[hostId].handle({
            method: "checkReconnection",
            roomId,
            reconnectionToken: options.reconnectionToken,
          })
        : { sessionId: `s${this.#next++}` };
    const playerId = `p-${seat.sessionId}`;
    const where =
      "address" in seat
        ? seat
        : await this.carriers[hostId].handle({
            method: "reserveSeat",
            roomId,
            sessionId: seat.sessionId,
            playerId,
            options,
          });
    return {
      name: "ledger",
      sessionId: seat.sessionId,
      roomId,
      processId: where.processId,
      publicAddress: this.via(where.address, hostId),
      centroid: { protocol: PROTOCOL_VERSION, host: host(hostId), epoch, playerId, playerToken: "t" },
    };
  }

  async #where(roomId: string): Promise<unknown> {
    if (this.hidesRooms) throw new CentroidError("NO_HOST", "not just now");
    if (this.#gone.has(roomId)) throw new CentroidError("ROOM_LOST", "its host has ended");
    const { hostId, epoch } = this.owner.get(roomId)!;
    const [report] = (await this.carriers[hostId].reports()).filter((room) => room.roomId === roomId);
    return {
      roomId,
      processId: report?.processId,
      publicAddress: report?.address,
      epoch,
      host: host(hostId),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.carriers.a[Symbol.asyncDispose](), this.carriers.b[Symbol.asyncDispose]()]);
    await closeServer(this.#server);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
