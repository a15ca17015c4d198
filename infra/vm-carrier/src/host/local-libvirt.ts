/** This host's libvirt as its agent uses it: connected when needed, again when it has gone, and listened to. */
import { EventEmitter, once } from "node:events";
import { mkdir } from "node:fs/promises";
import { Connection, type LibvirtEvent, stoppedMigrated } from "@centroid/node-libvirt";
import { CentroidError } from "@centroid/protocol";
import type { VmConfig } from "../base/config.js";
import { GuestHost } from "../guest/guests.js";
import { readGuestImage } from "../image/image.js";

/** An end that nobody has asked about by then is forgotten. */
const KEEP_END_MS = 10_000;
/** Between two attempts to reach a libvirt that has gone. */
const REDIAL_MS = 500;

export interface OpenLibvirt {
  readonly connection: Connection;
  readonly guests: GuestHost;
}

/** How a VM of this host ended: `migrated`, and it goes on elsewhere. */
export type VmEnd = "migrated" | "ended";

export class LocalLibvirt implements AsyncDisposable {
  readonly #hostId: string;
  readonly #vm: VmConfig;
  readonly #onRunning: (domainName: string) => void;
  readonly #ends = new Map<string, VmEnd>();
  readonly #ended = new EventEmitter<{ ended: [] }>();
  #opened: Promise<OpenLibvirt> | undefined;
  #disposed = false;

  /** @param onRunning told of every VM that begins to run, and of those that run when libvirt is back */
  constructor(hostId: string, vm: VmConfig, onRunning: (domainName: string) => void) {
    this.#hostId = hostId;
    this.#vm = vm;
    this.#onRunning = onRunning;
  }

  /** @throws CentroidError HOST_LOST */
  open(): Promise<OpenLibvirt> {
    if (this.#disposed) return Promise.reject(new CentroidError("HOST_LOST", "this agent is shutting down"));
    this.#opened ??= this.#connect().catch((cause: unknown) => {
      this.#opened = undefined;
      throw new CentroidError(
        "HOST_LOST",
        `libvirt of ${this.#hostId} does not answer: ${CentroidError.from(cause).message}`,
      );
    });
    return this.#opened;
  }

  async #connect(): Promise<OpenLibvirt> {
    const vm = this.#vm;
    const image = await readGuestImage(vm.imageDirectory);
    if (image === undefined) throw new Error(`no guest image in ${vm.imageDirectory}: centroid image build`);
    await mkdir(vm.localGuestDirectory, { recursive: true });
    const connection = await Connection.open(vm.libvirtUri);
    connection.onEvent((event) => this.#onEvent(event));
    const guests = GuestHost.of(connection, image, vm);
    return { connection, guests };
  }

  #onEvent(event: LibvirtEvent): void {
    if (event.type === "connection-closed") {
      const old = this.#opened;
      this.#opened = undefined;
      void old?.then(({ connection }) => connection.close());
      this.#redial();
      return;
    }
    if (event.type !== "lifecycle") return;
    if (event.kind === "resumed") this.#onRunning(event.name);
    if (event.kind === "stopped") this.#keepEnd(event.name, event.detail === stoppedMigrated);
  }

  #keepEnd(domainName: string, migrated: boolean): void {
    this.#ends.set(domainName, migrated ? "migrated" : "ended");
    setTimeout(() => this.#ends.delete(domainName), KEEP_END_MS).unref();
    this.#ended.emit("ended");
  }

  /** How a VM that is not here any more has ended; undefined if libvirt does not say so in time. */
  async howEnded(domainName: string, timeoutMs: number): Promise<VmEnd | undefined> {
    const late = AbortSignal.timeout(timeoutMs);
    while (!late.aborted && !this.#ends.has(domainName))
      await once(this.#ended, "ended", { signal: late }).catch(() => undefined);
    return this.#ends.get(domainName);
  }

  /** Its VMs go on without it; arrivals are told by events, so it must be listened to again. */
  #redial(): void {
    if (this.#disposed) return;
    const again = setTimeout(() => {
      this.open()
        .then(async ({ connection }) => {
          for (const domain of await connection.listDomains("active"))
            if ((await domain.getState()).state === "running") this.#onRunning(domain.name);
        })
        .catch(() => this.#redial());
    }, REDIAL_MS);
    again.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.connection.close();
  }
}
