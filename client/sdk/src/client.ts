/** The entry point: joins rooms through a broker, tells it how far hosts are, and keeps rooms that move. */
import {
  type AvailableRooms,
  CENTROID_OPTIONS_KEY,
  CentroidError,
  type JoinHints,
  type Location,
  PROTOCOL_VERSION,
  type ProbeReport,
  readWire,
  travelSeatSchema,
} from "@centroid/protocol";
import { Client, type ClientOptions, type SeatReservation as ColyseusReservation } from "@colyseus/sdk";
import { BrokerApi } from "./broker-api.js";
import { nearestOf, nearestRttMs } from "./latency.js";
import { Measuring } from "./measuring.js";
import { CentroidRoom } from "./room.js";
import { sessionPaths } from "./session-paths.js";
import { mustMeasure, type SdkSeat, StockClient, unreached } from "./stock-client.js";
import type {
  IfNamed,
  Joined as JoinedRoom,
  OptionsOf,
  RoomName,
  RoomOf,
  ServerRoomLike,
  ServerTypes,
  UntypedServer,
} from "./typed-rooms.js";
import type { Ways } from "./ways.js";

/** What a client may be told; all of it is optional. */
export interface CentroidClientOptions extends Pick<ClientOptions, "headers" | "fetchFn"> {
  /** Stable id of this player; made by the broker if not given. What it proves: docs/sdk.md, Who a player is. */
  playerId?: string;
  /** Proves a `playerId` that this client was given earlier: {@link CentroidClient.playerToken}. */
  playerToken?: string;
  /** Which of a host's addresses to use, for hosts reachable over several networks. */
  network?: string;
  /** Coarse place, if the player shares it: a better first guess before anything is measured. */
  location?: Location;
  /** `false`: stay with gateways, where there are any, also when a room's host can be reached without. */
  direct?: false;
  /** `false`: never measure; the room is placed by the others. */
  probing?: false | { intervalMs?: number };
  /**
   * Measure the nearest hosts before the first room is asked for, so that a new one starts where it stays. Otherwise a
   * room that had to be placed before anything was measured moves within its first seconds.
   */
  measureFirst?: boolean;
}

/** As Colyseus' own. */
const DEFAULT_LATENCY_TIMEOUT_MS = 1_500;

type Options = Record<string, unknown>;
type SchemaOf<State> = new (...args: never[]) => State;

/**
 * Colyseus' client for rooms that move: joins through a broker, measures how far hosts are while in rooms, follows them.
 * @typeParam Server `typeof server` of Colyseus' `defineServer`, for typed rooms and routes
 */
export class CentroidClient<Server extends ServerTypes = UntypedServer> {
  readonly #options: CentroidClientOptions;
  readonly #api: BrokerApi;
  readonly #measuring: Measuring;
  /** Colyseus' own, for what has nothing to do with moves; speaks to the broker that answered last. */
  readonly #colyseus: Client<Server>;
  #location: Location | undefined;
  #playerId: string | undefined;
  /** By player id: the latest that the broker gave. */
  readonly #tokens = new Map<string, string>();

  /** @param brokers `http(s)://host:port`, or several brokers of one deployment: any of them will do */
  constructor(brokers: string | readonly string[], options: CentroidClientOptions = {}) {
    const urls = typeof brokers === "string" ? [brokers] : brokers;
    const [url] = urls;
    if (url === undefined)
      throw new CentroidError("BAD_REQUEST", "a client needs a broker: http://host:port, or a list of them");
    this.#options = options;
    this.#location = options.location;
    this.#playerId = options.playerId;
    if (options.playerId !== undefined && options.playerToken !== undefined)
      this.#tokens.set(options.playerId, options.playerToken);
    this.#colyseus = new Client<Server>(url, this.#clientOptions());
    this.#api = new BrokerApi(urls, options.network, options);
    this.#measuring = new Measuring(this.#api, options);
  }

  /** Colyseus' HTTP client of the broker: `client.http.get("/path")`. */
  get http(): Client<Server>["http"] {
    return this.#colyseus.http;
  }

  /** Colyseus' authentication: `client.auth.token` is what a room's static `onAuth` is given. */
  get auth(): Client<Server>["auth"] {
    return this.#colyseus.auth;
  }

  /** Where the broker is that answered last. */
  get settings(): Client<Server>["settings"] {
    return this.#colyseus.settings;
  }

  /** Known after the first join, if it was not given. */
  get playerId(): string | undefined {
    return this.#playerId;
  }

  /**
   * Proves {@link playerId} to the broker; renewed while this client is in a room. Keep the latest one to be the same
   * player after a reload; it ends a day after it was given.
   */
  get playerToken(): string | undefined {
    return this.#playerId === undefined ? undefined : this.#tokens.get(this.#playerId);
  }

  /** The client that is nearest to its broker's hosts, of several deployments. @throws what all of them do */
  static async selectByLatency<Server extends ServerTypes = UntypedServer>(
    deployments: readonly (string | readonly string[])[],
    options?: CentroidClientOptions,
    latency?: { timeout?: number },
  ): Promise<CentroidClient<Server>> {
    return nearestOf(
      deployments.map(async (brokers) => {
        const one = new CentroidClient<Server>(brokers, options);
        return { one, rttMs: await one.getLatency(latency) };
      }),
    );
  }

  joinOrCreate<Name extends RoomName<Server>>(
    name: Name,
    options?: OptionsOf<RoomOf<Server, Name>>,
  ): Promise<JoinedRoom<RoomOf<Server, Name>>>;
  joinOrCreate<ServerRoom extends ServerRoomLike = never>(
    this: IfNamed<ServerRoom, CentroidClient<Server>>,
    name: string,
    options?: OptionsOf<ServerRoom>,
  ): Promise<JoinedRoom<ServerRoom>>;
  joinOrCreate<State = unknown>(
    name: string,
    options?: Options,
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>>;
  joinOrCreate(name: string, options: object = {}, schema?: SchemaOf<unknown>): Promise<unknown> {
    return this.#join((client, hints) =>
      client.joinOrCreate(name, { ...options, ...hints }, schema as never),
    );
  }

  create<Name extends RoomName<Server>>(
    name: Name,
    options?: OptionsOf<RoomOf<Server, Name>>,
  ): Promise<JoinedRoom<RoomOf<Server, Name>>>;
  create<ServerRoom extends ServerRoomLike = never>(
    this: IfNamed<ServerRoom, CentroidClient<Server>>,
    name: string,
    options?: OptionsOf<ServerRoom>,
  ): Promise<JoinedRoom<ServerRoom>>;
  create<State = unknown>(
    name: string,
    options?: Options,
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>>;
  create(name: string, options: object = {}, schema?: SchemaOf<unknown>): Promise<unknown> {
    return this.#join((client, hints) => client.create(name, { ...options, ...hints }, schema as never));
  }

  join<Name extends RoomName<Server>>(
    name: Name,
    options?: OptionsOf<RoomOf<Server, Name>>,
  ): Promise<JoinedRoom<RoomOf<Server, Name>>>;
  join<ServerRoom extends ServerRoomLike = never>(
    this: IfNamed<ServerRoom, CentroidClient<Server>>,
    name: string,
    options?: OptionsOf<ServerRoom>,
  ): Promise<JoinedRoom<ServerRoom>>;
  join<State = unknown>(
    name: string,
    options?: Options,
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>>;
  join(name: string, options: object = {}, schema?: SchemaOf<unknown>): Promise<unknown> {
    return this.#join((client, hints) => client.join(name, { ...options, ...hints }, schema as never));
  }

  joinById<Name extends RoomName<Server>>(
    roomId: string,
    options?: OptionsOf<RoomOf<Server, Name>>,
  ): Promise<JoinedRoom<RoomOf<Server, Name>>>;
  joinById<ServerRoom extends ServerRoomLike = never>(
    this: IfNamed<ServerRoom, CentroidClient<Server>>,
    roomId: string,
    options?: OptionsOf<ServerRoom>,
  ): Promise<JoinedRoom<ServerRoom>>;
  joinById<State = unknown>(
    roomId: string,
    options?: Options,
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>>;
  joinById(roomId: string, options: object = {}, schema?: SchemaOf<unknown>): Promise<unknown> {
    return this.#join((client, hints) => client.joinById(roomId, { ...options, ...hints }, schema as never));
  }

  /** @param token `room.reconnectionToken` of an earlier connection; works wherever the room is by now. */
  reconnect<ServerRoom extends ServerRoomLike = never>(
    this: IfNamed<ServerRoom, CentroidClient<Server>>,
    token: string,
  ): Promise<JoinedRoom<ServerRoom>>;
  reconnect<State = unknown>(token: string, schema?: SchemaOf<State>): Promise<CentroidRoom<State>>;
  reconnect(token: string, schema?: SchemaOf<unknown>): Promise<unknown> {
    return this.#join((client) => client.reconnect(token, schema as never));
  }

  /**
   * Takes a seat that was reserved elsewhere: what the broker answered to somebody's `POST /matchmake/...`, or what a room
   * made with Colyseus' match maker, such as `QueueRoom`.
   */
  consumeSeatReservation<State = unknown>(
    reservation: ColyseusReservation,
    schema?: SchemaOf<State>,
  ): Promise<CentroidRoom<State>> {
    return this.#join(async (client) =>
      client.consumeSeatReservation(await this.#found(reservation), schema as never),
    );
  }

  /** A room has sent one of its players to another, where the broker knows it as the same. */
  #travel(message: unknown, { playerId }: { playerId?: string | undefined }): Promise<CentroidRoom> {
    return this.#join(async (client) => {
      const seat = readWire(travelSeatSchema, message, "PROTOCOL_VERSION", "the room's message");
      const playerToken = playerId === undefined ? undefined : this.#tokens.get(playerId);
      const player = { ...(playerToken !== undefined && { playerId, playerToken }) };
      return client.consumeSeatReservation(await this.#found(seat as never, player));
    });
  }

  /** A room that makes a seat knows neither how this client reaches hosts nor where the room is when the seat is taken. */
  async #found(reservation: ColyseusReservation, player: object = {}): Promise<ColyseusReservation> {
    if ("centroid" in reservation) return reservation;
    const { processId, publicAddress, way, epoch, host } = await this.#api.where(reservation.roomId);
    const { publicAddress: _, ...seat } = reservation;
    const centroid = {
      protocol: PROTOCOL_VERSION,
      host,
      epoch,
      ...(way !== undefined && { way }),
      ...player,
    };
    return {
      ...seat,
      processId,
      ...(publicAddress !== undefined && { publicAddress }),
      centroid,
    } as ColyseusReservation;
  }

  /**
   * Rooms that are open to everybody, with their metadata; of one type, or of all. For news of them as they come and go,
   * join a `LobbyRoom`.
   */
  async getAvailableRooms(name?: string): Promise<AvailableRooms["rooms"]> {
    return (await this.#api.rooms(name)).rooms;
  }

  /**
   * Round trip to the nearest host, ms: rooms are there and not at the broker.
   * @throws CentroidError NO_HOST if none answers within `timeout` (1500 ms if not given)
   */
  async getLatency({ timeout = DEFAULT_LATENCY_TIMEOUT_MS }: { timeout?: number } = {}): Promise<number> {
    return nearestRttMs(async () => (await this.#api.beacons()).beacons, timeout);
  }

  /** The player is elsewhere now; the next measurements carry it. */
  setLocation(location: Location): void {
    this.#location = location;
    this.#measuring.elsewhere();
  }

  /** Stops measuring. Rooms stay until they are left. */
  dispose(): void {
    this.#measuring.stop();
  }

  #clientOptions(): ClientOptions {
    const { headers, fetchFn } = this.#options;
    return { ...(headers !== undefined && { headers }), ...(fetchFn !== undefined && { fetchFn }) };
  }

  async #join<State>(
    call: (client: StockClient, hints: Options) => Promise<unknown>,
  ): Promise<CentroidRoom<State>> {
    try {
      return await this.#joinWith<State>(call, await this.#measuring.hints());
    } catch (cause) {
      if (!mustMeasure(cause)) throw cause;
      return await this.#joinWith<State>(call, { probes: await this.#measuring.now() });
    } finally {
      this.#measuring.rest();
    }
  }

  async #joinWith<State>(
    call: (client: StockClient, hints: Options) => Promise<unknown>,
    measured: Pick<JoinHints, "probes" | "canMeasure">,
  ): Promise<CentroidRoom<State>> {
    const hints: JoinHints = {
      protocol: PROTOCOL_VERSION,
      ...measured,
      ...(this.#playerId !== undefined && { playerId: this.#playerId }),
      ...(this.playerToken !== undefined && { playerToken: this.playerToken }),
      ...(this.#options.network !== undefined && { network: this.#options.network }),
      ...(this.#location !== undefined && { location: this.#location }),
    };
    let seat: SdkSeat | undefined;
    let ways: Ways | undefined;
    let first: Promise<ProbeReport[]> | undefined;
    let settings = this.#colyseus.settings;
    const stock = (url: string): StockClient => {
      const client = new StockClient(url, this.#clientOptions(), {
        makeRoom: (name, schema, { roomId, centroid }) => {
          const { ways: own, ...paths } = sessionPaths(this.#api, roomId, url, centroid);
          ways = own;
          return new CentroidRoom(name, schema as never, centroid, paths, (next) =>
            this.#travel(next, centroid),
          );
        },
        onSeat: (reservation) => {
          seat = reservation;
          first = this.#measuring.beside(url, reservation.centroid.beacons);
        },
      });
      client.http.options = this.#colyseus.http.options;
      client.http.authToken = this.#colyseus.http.authToken;
      ({ settings } = client);
      return client;
    };
    const room = (await this.#api.reach(
      (url) => call(stock(url), { [CENTROID_OPTIONS_KEY]: hints }),
      unreached,
    )) as CentroidRoom<State>;
    this.#colyseus.settings = settings;
    if (seat !== undefined && ways !== undefined) {
      const { playerId, playerToken, gateways } = seat.centroid;
      this.#api.add(gateways ?? []);
      if (playerId === undefined || playerToken === undefined) return room;
      this.#playerId = playerId;
      this.#tokens.set(playerId, playerToken);
      this.#measuring.watch(room as CentroidRoom, ways, {
        identity: () => ({
          playerId,
          playerToken: this.#tokens.get(playerId) ?? playerToken,
          ...(this.#options.network !== undefined && { network: this.#options.network }),
          ...(this.#location !== undefined && { location: this.#location }),
        }),
        onRenewed: (token) => this.#tokens.set(playerId, token),
        first,
      });
    }
    return room;
  }
}
