/** The entry point: joins rooms through a broker, tells it how far hosts are, and keeps rooms that move. */
import {
  type Beacon,
  CENTROID_OPTIONS_KEY,
  CentroidError,
  type JoinHints,
  type Location,
  PROTOCOL_VERSION,
  type ProbeReport,
  type SeatReservation,
  seatReservationSchema,
  tryRead,
} from "@centroid/protocol";
import { Client, MatchMakeError } from "@colyseus/sdk";
import * as z from "zod/mini";
import { BrokerApi } from "./broker-api.js";
import { ProbeLoop } from "./probe-loop.js";
import { Prober } from "./prober.js";
import type { Located } from "./recovery.js";
import { CentroidRoom } from "./room.js";

/** What a client may be told; all of it is optional. */
export interface CentroidClientOptions {
  /** Stable id of this player; made by the broker if not given. */
  playerId?: string;
  /** Which of a host's addresses to use, for hosts reachable over several networks. */
  network?: string;
  /** Coarse place, if the player shares it: a better first guess before anything is measured. */
  location?: Location;
  /** `false`: never measure; the room is placed by the others. */
  probing?: false | { intervalMs?: number };
}

interface Joined {
  reservation: SeatReservation;
}

/** Colyseus' client with our room and our options; everything else is stock. */
class StockClient extends Client {
  readonly #makeRoom: (name: string, schema: unknown, reservation: SeatReservation) => CentroidRoom;
  readonly #joined: (joined: Joined) => void;
  #reservation: SeatReservation | undefined;

  constructor(
    url: string,
    makeRoom: (name: string, schema: unknown, reservation: SeatReservation) => CentroidRoom,
    joined: (joined: Joined) => void,
  ) {
    super(url);
    this.#makeRoom = makeRoom;
    this.#joined = joined;
  }

  override async consumeSeatReservation<T>(
    ...[response, schema]: Parameters<Client["consumeSeatReservation"]>
  ): Promise<never> {
    const parsed = tryRead(seatReservationSchema, response);
    if (!parsed.success) {
      throw new CentroidError(
        "PROTOCOL_VERSION",
        `this is not a Centroid broker: ${z.prettifyError(parsed.error)}`,
      );
    }
    this.#reservation = parsed.data;
    const room = await super.consumeSeatReservation<T>(response, schema as never);
    this.#joined({ reservation: parsed.data });
    return room as never;
  }

  protected override createRoom(name: string, schema?: unknown): never {
    const reservation = this.#reservation;
    if (reservation === undefined) throw new CentroidError("INTERNAL", "room without seat reservation");
    return this.#makeRoom(name, schema, reservation) as never;
  }
}

/** Colyseus' client wraps a request that got no answer in an error without a code. */
function unreached(cause: unknown): boolean {
  return cause instanceof MatchMakeError && cause.code === undefined;
}

type Options = Record<string, unknown>;
type SchemaOf<State> = new (...args: never[]) => State;

/** Joins rooms through a broker, measures how far hosts are while in them, and follows rooms that move. */
export class CentroidClient {
  readonly #options: CentroidClientOptions;
  readonly #api: BrokerApi;
  readonly #loops = new Set<ProbeLoop>();
  readonly #beacons = new Map<string, Beacon>();
  #prober = new Prober();
  #location: Location | undefined;
  #playerId: string | undefined;
  #playerToken: string | undefined;
  #first: Promise<ProbeReport[]> | undefined;

  /** @param brokers `http(s)://host:port`, or several brokers of one deployment: any of them will do */
  constructor(brokers: string | readonly string[], options: CentroidClientOptions = {}) {
    this.#options = options;
    this.#location = options.location;
    this.#playerId = options.playerId;
    this.#api = new BrokerApi(typeof brokers === "string" ? [brokers] : brokers, options.network);
  }

  /** Known after the first join. */
  get playerId(): string | undefined {
    return this.#playerId;
  }

  joinOrCreate<State = unknown>(
    name: string,
    options: Options = {},
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>> {
    return this.#join((client, hints) =>
      client.joinOrCreate(name, { ...options, ...hints }, schema as never),
    );
  }

  create<State = unknown>(
    name: string,
    options: Options = {},
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>> {
    return this.#join((client, hints) => client.create(name, { ...options, ...hints }, schema as never));
  }

  join<State = unknown>(
    name: string,
    options: Options = {},
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>> {
    return this.#join((client, hints) => client.join(name, { ...options, ...hints }, schema as never));
  }

  joinById<State = unknown>(
    roomId: string,
    options: Options = {},
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>> {
    return this.#join((client, hints) => client.joinById(roomId, { ...options, ...hints }, schema as never));
  }

  /** @param token `room.reconnectionToken` of an earlier connection; works wherever the room is by now. */
  reconnect<State = unknown>(token: string, schema?: SchemaOf<State>): Promise<CentroidRoom<State>> {
    return this.#join((client) => client.reconnect(token, schema as never));
  }

  /** The player is elsewhere now; the next measurements carry it. */
  setLocation(location: Location): void {
    this.#location = location;
    for (const loop of this.#loops) loop.soon();
  }

  /** Stops measuring. Rooms stay until they are left. */
  dispose(): void {
    for (const loop of this.#loops) loop.stop();
    this.#loops.clear();
    this.#rest();
  }

  /** Without a room there is nothing to measure for: open connections would keep a process alive. */
  #rest(): void {
    if (this.#loops.size > 0) return;
    this.#prober[Symbol.dispose]();
    this.#prober = new Prober();
  }

  async #join<State>(
    call: (client: StockClient, hints: Options) => Promise<unknown>,
  ): Promise<CentroidRoom<State>> {
    const probes = await this.#firstProbes();
    const hints: JoinHints = {
      protocol: PROTOCOL_VERSION,
      probes,
      ...(this.#playerId !== undefined && { playerId: this.#playerId }),
      ...(this.#playerToken !== undefined && { playerToken: this.#playerToken }),
      ...(this.#options.network !== undefined && { network: this.#options.network }),
      ...(this.#location !== undefined && { location: this.#location }),
    };
    let seat: SeatReservation | undefined;
    const stock = (url: string): StockClient =>
      new StockClient(
        url,
        (name, schema, { roomId, centroid }) =>
          new CentroidRoom(name, schema as never, centroid, (url) => this.#locate(roomId, url)),
        ({ reservation }) => {
          seat = reservation;
        },
      );
    const room = (await this.#api
      .reach((url) => call(stock(url), { [CENTROID_OPTIONS_KEY]: hints }), unreached)
      .catch((cause: unknown) => {
        this.#rest();
        throw cause;
      })) as CentroidRoom<State>;
    if (seat !== undefined) {
      this.#playerId = seat.centroid.playerId;
      this.#playerToken = seat.centroid.playerToken;
      this.#watch(room as CentroidRoom, seat);
    }
    return room;
  }

  /** Newcomers measure a few hosts once, so that the first room is placed well. */
  async #firstProbes(): Promise<ProbeReport[]> {
    if (this.#options.probing === false) return [];
    this.#first ??= this.#api.beacons().then(({ beacons }) => {
      for (const beacon of beacons) this.#beacons.set(beacon.hostId, beacon);
      return this.#prober.measureSoon(beacons);
    });
    try {
      return await this.#first;
    } catch (cause) {
      this.#first = undefined;
      throw cause;
    }
  }

  #watch(room: CentroidRoom, seat: SeatReservation): void {
    if (this.#options.probing === false) return;
    const loop = new ProbeLoop({
      api: this.#api,
      beacons: this.#beacons,
      prober: this.#prober,
      room,
      identity: () => ({
        playerId: seat.centroid.playerId,
        playerToken: seat.centroid.playerToken,
        ...(this.#options.network !== undefined && { network: this.#options.network }),
        ...(this.#location !== undefined && { location: this.#location }),
      }),
      intervalMs: this.#options.probing?.intervalMs,
    });
    this.#loops.add(loop);
    room.onLeave(() => {
      loop.stop();
      this.#loops.delete(loop);
      this.#rest();
    });
    room.onMigrate(() => loop.soon());
    loop.start();
  }

  /** The same session's URL at the host that has the room now. */
  async #locate(roomId: string, url: string): Promise<Located> {
    const { publicAddress, processId, epoch, host } = await this.#api.where(roomId);
    const { protocol, search } = new URL(url);
    return { url: `${protocol}//${publicAddress}/${processId}/${roomId}${search}`, epoch, host };
  }
}
