/** One edge host: its carriers, its beacon and its link to the broker. */
import { availableParallelism } from "node:os";
import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import { type AgentRequest, CentroidError, type RoomReport } from "@centroid/protocol";
import { authority } from "@centroid/protocol/node";
import type { RunningServer } from "@centroid/room-host/sockets";
import { startBeacon } from "./beacon.js";
import { BrokerLink, type BrokerLinkState } from "./broker-link.js";
import type { AppProcess } from "./carrier/app-process.js";
import type { Carrier, CarrierEvents } from "./carrier/carrier.js";
import type { ResolvedAgentConfig } from "./config.js";
import { Grants } from "./grants.js";
import { HostUsage } from "./host-usage.js";
import { LeaseRenewal } from "./lease-renewal.js";
import { LetGo } from "./let-go.js";
import { PresenceRelay } from "./presence-relay.js";
import { RoomPlayers } from "./room-players.js";
import { RoomSaves } from "./room-saves.js";
import type { MeasuredSpeed } from "./speed/host-speed.js";

/** A newcomer's measurements are over by then. */
const WARM_UP_DELAY_MS = 2_500;

/** The host's speed is measured so long after its start: until then players and rooms come first. */
const MEASURE_AFTER_MS = 3_000;
/** A broker has said by then whether it moves the rooms of a host that leaves. */
const LEAVE_ANSWER_MS = 2_000;
const LEAVE_CHECK_MS = 200;
/** So long before its end rooms that are still here are saved a last time. */
const LAST_SAVE_MS = 4_000;

export interface AgentOptions {
  config: ResolvedAgentConfig;
  carriers: (events: CarrierEvents) => Carrier[];
  /** The HTTP side of a project, if this host serves it. */
  app?: (events: CarrierEvents) => AppProcess;
  /** How fast the host computes, where its configuration does not say it. */
  measureSpeed?: (signal: AbortSignal) => Promise<MeasuredSpeed>;
  notice: (line: string) => void;
  /** Every broker has refused this agent and none has ever accepted it: there is no reason to keep running. */
  onRefused: (error: CentroidError) => void;
  onConnected: () => void;
  /** The connection to a broker has changed its state. */
  onBroker: (url: string, state: BrokerLinkState) => void;
}

/** What runs here; there may be more if that is not answered. */
interface Owned {
  rooms: RoomReport[];
  unanswered?: CentroidError;
}

const isNone = ({ rooms, unanswered }: Owned): boolean => unanswered === undefined && rooms.length === 0;

export class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #carriers: Carrier[];
  readonly #app: AppProcess | undefined;
  readonly #links: BrokerLink[] = [];
  readonly #players = new RoomPlayers(this.#links);
  readonly #presence = new PresenceRelay(this.#links);
  readonly #grants = new Grants();
  readonly #letGo = new LetGo();
  readonly #saves = new RoomSaves(this.#links);
  /** True from the first welcome of any broker on: from then on rooms may run here, and no refusal ends them. */
  #welcomed = false;
  readonly #refusals = new Map<BrokerLink, CentroidError>();
  #beacon: RunningServer | undefined;
  readonly #lease = new LeaseRenewal(this.#links, (forMs) => {
    for (const carrier of this.#carriers) carrier.renewLease(forMs);
  });
  #warmUp: NodeJS.Timeout | undefined;
  #speed: MeasuredSpeed | undefined;
  #measure: NodeJS.Timeout | undefined;
  /** By when it ends, once that is known; and whether a broker moves its rooms until then. */
  #leavesAtMs: number | undefined;
  #evacuated: ((elsewhere: boolean) => void) | undefined;
  readonly #ended = new AbortController();
  readonly #usage: HostUsage;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#speed = options.config.speed;
    const events: CarrierEvents = {
      room: (roomId, epoch, change) => {
        if (change.event === "disposed" || change.event === "lost") {
          this.#saves.forget(roomId);
          this.#grants.forget(roomId, epoch);
        }
        const shown =
          change.event === "running" ? { ...change, report: this.#grants.shown(change.report) } : change;
        const message = { type: "room", roomId, epoch, change: shown } as const;
        this.#players.note(message);
        // While nobody decides about the room, nobody needs it: players measure again soon.
        if (change.event === "measured") this.#links.find((link) => link.decidesAbout(roomId))?.room(message);
        else if (change.event !== "joined" && change.event !== "left")
          for (const link of this.#links) link.room(message);
      },
      checkpoint: (saved) => this.#saves.put(saved),
      published: (said) => this.#presence.tell(said),
      ask: async (question) => {
        const connected = this.#links.filter(({ state }) => state.state === "connected");
        // Only the broker that decides about a room knows how far its players are from the hosts.
        const { roomId } = question as { roomId?: string };
        const deciding = connected.find((link) => roomId !== undefined && link.decidesAbout(roomId));
        const link = deciding ?? connected[0];
        if (link === undefined)
          throw new CentroidError("HOST_LOST", "no broker is connected; try again shortly");
        return link.ask(question);
      },
      notice: options.notice,
    };
    this.#carriers = options.carriers(events);
    this.#app = options.app?.(events);
    this.#usage = new HostUsage({
      carriers: this.#carriers,
      own: () => {
        const { user, system } = process.cpuUsage();
        return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() };
      },
      cores: availableParallelism(),
      now: () => performance.now(),
    });
    this.#links.push(...options.config.brokerUrls.map((url) => this.#connection(url)));
  }

  #connection(url: string): BrokerLink {
    const options = this.#options;
    const link: BrokerLink = new BrokerLink({
      url,
      tls: options.config.tls,
      token: options.config.token,
      hostId: options.config.hostId,
      hello: async () => ({
        type: "hello",
        hostId: options.config.hostId,
        name: options.config.name,
        latitude: options.config.latitude,
        longitude: options.config.longitude,
        region: options.config.region,
        capacityRooms: options.config.capacityRooms,
        ...(options.config.costPerHour !== undefined && { costPerHour: options.config.costPerHour }),
        carriers: this.#carriers.map(({ kind }) => kind),
        beaconUrl: this.#beaconUrl(),
        trunks: true,
        measures: true,
        counts: true,
        unsaved: true,
        roomTypes: options.config.roomTypes,
        roomWork: options.config.roomWork,
        ...this.#appAddress(),
        rooms: await this.#reports(),
      }),
      heartbeat: () => ({
        type: "heartbeat",
        ...this.#usage.get(),
        ...(this.#speed !== undefined && { speed: this.#speed }),
        ...this.#appAddress(),
      }),
      handle: (request, grant) => this.#handle(request, grant),
      onCheckpointed: (kept) => {
        const { roomId, epoch, seq } = kept;
        for (const carrier of this.#carriers) {
          if (!carrier.has(roomId)) continue;
          this.#saves.kept(link, kept);
          carrier.checkpointed(roomId, epoch, seq);
        }
      },
      onUnsaved: (unsaved) => {
        if (!this.#saves.refused(link, unsaved)) return;
        const { roomId, epoch, seq, error } = unsaved;
        for (const carrier of this.#carriers)
          if (carrier.has(roomId)) carrier.unsaved(roomId, epoch, seq, error);
      },
      onPublished: (said) => {
        if (!this.#presence.isNew(said)) return;
        for (const carrier of this.#carriers) carrier.published(said);
        this.#app?.published(said);
      },
      onMeasure: (order) => {
        for (const carrier of this.#carriers) if (carrier.has(order.roomId)) carrier.measure(order);
      },
      onTracks: (gained) => {
        this.#players.tellAll(link, gained);
        this.#players.countAll();
      },
      onDecides: (gained) => this.#saves.decides(link, gained),
      onEvacuating: (elsewhere) => this.#evacuated?.(elsewhere),
      onTerms: () => this.#lease.changed(),
      notice: options.notice,
      onState: (state) => this.#onBroker(link, state),
    });
    return link;
  }

  #onBroker(link: BrokerLink, state: BrokerLinkState): void {
    const { notice, onBroker, onConnected, onRefused } = this.#options;
    onBroker(link.url, state);
    switch (state.state) {
      case "dialling":
        return;
      case "connected":
        if (!this.#welcomed && this.#options.config.warm)
          for (const carrier of this.#carriers) carrier.warmUp();
        this.#welcomed = true;
        // Before any order of that broker.
        this.#lease.now();
        this.#refusals.delete(link);
        this.#players.countAll();
        // For the broker it was away and is back.
        if (this.#leavesAtMs !== undefined) link.leaving(Math.max(1, this.#leavesAtMs - performance.now()));
        onConnected();
        return;
      case "away":
        this.#refusals.delete(link);
        notice(`broker ${link.url} cannot be reached; rooms keep running`);
        return;
      case "refused": {
        const { error } = state;
        notice(`refused at ${link.url}, retrying: ${error.code} ${error.message}`);
        // Others at this address have guessed too often: a later attempt will be admitted.
        if (error.code === "RATE_LIMITED") return;
        this.#refusals.set(link, error);
        if (this.#welcomed || this.#refusals.size < this.#links.length) return;
        const all = [...this.#refusals].map(([{ url }, { message }]) => `${url}: ${message}`);
        onRefused(all.length === 1 ? error : new CentroidError(error.code, all.join("; ")));
        return;
      }
      default: {
        const never: never = state;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  async start(): Promise<void> {
    const { config } = this.#options;
    // What is wrong with it is said at once, and brokers are told of no host that has not all it needs.
    await this.#app?.start();
    this.#beacon = await startBeacon(
      config.bindHost,
      config.port,
      () => this.#expectRooms(),
      this.#options.notice,
    );
    for (const link of this.#links) link.connect();
    const { measureSpeed } = this.#options;
    if (this.#speed !== undefined || measureSpeed === undefined) return;
    this.#measure = setTimeout(() => void this.#takeSpeed(measureSpeed), MEASURE_AFTER_MS);
    this.#measure.unref();
  }

  /** Without it the host counts as one core of the reference machine. */
  async #takeSpeed(measure: (signal: AbortSignal) => Promise<MeasuredSpeed>): Promise<void> {
    try {
      this.#speed = await measure(this.#ended.signal);
    } catch (cause) {
      if (!this.#ended.signal.aborted)
        this.#options.notice(`the host's speed cannot be measured: ${CentroidError.from(cause).message}`);
    }
  }

  /** Once, a moment after the first measurement began: starting processes while players measure spoils what they see. */
  #expectRooms(): void {
    this.#warmUp ??= setTimeout(() => {
      for (const carrier of this.#carriers) carrier.warmUp();
    }, WARM_UP_DELAY_MS);
    this.#warmUp.unref();
  }

  /**
   * Has brokers move the rooms of this host to others, and resolves when they are gone. What is left shortly before the
   * time is over is saved once more and ended here, so that brokers restore it at once. To be disposed of afterwards.
   */
  async leave(withinMs: number): Promise<void> {
    const leavesAtMs = performance.now() + withinMs;
    this.#leavesAtMs = leavesAtMs;
    const elsewhere = new Promise<boolean>((resolve) => {
      this.#evacuated = (found) => found && resolve(true);
      setTimeout(() => resolve(false), Math.min(LEAVE_ANSWER_MS, withinMs));
    });
    const told = this.#links.map((link) => link.leaving(withinMs)).includes(true);
    if (told && (await elsewhere))
      while (performance.now() < leavesAtMs - LAST_SAVE_MS && !isNone(await this.#owned()))
        await setTimeoutPromise(LEAVE_CHECK_MS);
    const left = await this.#owned();
    if (isNone(left)) return;
    if (left.unanswered !== undefined)
      this.#options.notice(
        `this host ends, saves its rooms, and does not know all of them: ${left.unanswered.message}`,
      );
    await Promise.allSettled(this.#carriers.map((carrier) => carrier.saveRooms?.(LAST_SAVE_MS / 2)));
    await Promise.all(this.#carriers.map((carrier) => carrier[Symbol.asyncDispose]()));
    const error = new CentroidError("HOST_LOST", "this host ends").toWire();
    for (const { roomId, epoch } of left.rooms)
      for (const link of this.#links)
        link.room({ type: "room", roomId, epoch, change: { event: "lost", error } });
  }

  /** Rooms that run here, as far as their carriers say so. */
  async #owned(): Promise<Owned> {
    try {
      return { rooms: (await this.#reports()).filter(({ passive }) => !passive) };
    } catch (cause) {
      return { rooms: [], unanswered: CentroidError.from(cause) };
    }
  }

  #beaconUrl(): string {
    const { config } = this.#options;
    return `ws://${authority(config.advertiseHost ?? config.bindHost, this.#beacon?.port ?? 0)}/beacon`;
  }

  #appAddress(): { app?: string } {
    const address = this.#app?.address;
    return address === undefined ? {} : { app: address };
  }

  async #reports(): Promise<RoomReport[]> {
    const reports = await Promise.all(this.#carriers.map((carrier) => carrier.reports()));
    this.#players.reported(reports.flat());
    return reports.flat().map((report) => this.#grants.shown(report));
  }

  async #handle(request: AgentRequest, grant: string | undefined): Promise<unknown> {
    const carrier =
      "carrier" in request
        ? this.#carriers.find(({ kind }) => kind === request.carrier)
        : (this.#carriers.find((candidate) => candidate.has(request.roomId)) ?? this.#carriers[0]);
    if (carrier === undefined) {
      throw new CentroidError(
        "CARRIER_UNAVAILABLE",
        `host ${this.#options.config.hostId} does not offer this carrier`,
      );
    }
    this.#letGo.check(request);
    this.#grants.begin(request, grant);
    try {
      return await carrier.handle(request);
    } finally {
      const isHere = this.#carriers.some((each) => each.has(request.roomId));
      this.#grants.end(request, isHere);
      if (!isHere) {
        this.#players.forget(request.roomId);
        this.#saves.forget(request.roomId);
        if (request.method === "migrateOut") for (const link of this.#links) link.forget(request.roomId);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#warmUp);
    clearTimeout(this.#measure);
    this.#players[Symbol.dispose]();
    this.#ended.abort();
    this.#lease[Symbol.dispose]();
    for (const link of this.#links) await link[Symbol.asyncDispose]();
    for (const carrier of this.#carriers) await carrier[Symbol.asyncDispose]();
    await this.#app?.[Symbol.asyncDispose]();
    this.#beacon?.[Symbol.dispose]();
  }
}
