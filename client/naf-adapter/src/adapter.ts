/**
 * networked-aframe over a Centroid room. The room moves underneath: client ids, entities and their owners stay,
 * so networked-aframe sees nothing of it.
 */
import { CentroidClient, CentroidError, type CentroidRoom } from "@centroid/sdk";
import { IS_CONNECTED, type NafAdapter, type NafGlobal, NOT_CONNECTED, type Occupants } from "./naf.js";
import { cut, PartReader } from "./parts.js";
import { ServerTime } from "./server-time.js";
import { incomingSchema, type Outgoing } from "./wire.js";

/** Room type on the broker: the default export of `@centroid/naf-adapter/room`. */
const ROOM_TYPE = "naf";

interface RelayView {
  occupants?: {
    forEach(each: (occupant: { channel: string; joinedAtMs: number }, id: string) => void): void;
  };
}

export class CentroidAdapter implements NafAdapter {
  readonly #connected = new Set<string>();
  readonly #parts = new PartReader();
  #sent = 0;
  #url = "/";
  #app = "default";
  #roomName = "default";
  #client: CentroidClient | undefined;
  #room: CentroidRoom<RelayView> | undefined;
  #time: ServerTime | undefined;
  #present = "";
  #success: (clientId: string) => void = () => undefined;
  #failure: (errorCode: string, message: string) => void = () => undefined;
  #occupants: (occupants: Occupants) => void = () => undefined;
  #opened: (clientId: string) => void = () => undefined;
  #closed: (clientId: string) => void = () => undefined;
  #received: (from: string, dataType: string, data: unknown) => void = () => undefined;

  /** The room once connected: its `onMigrate`, `onStats`, or a `<centroid-hud>`. */
  get room(): CentroidRoom<RelayView> | undefined {
    return this.#room;
  }

  /** @param url the broker's; `/` is this page's origin; `?network=LABEL` names the player's access network */
  setServerUrl(url: string): void {
    this.#url = url;
  }

  setApp(app: string): void {
    this.#app = app;
  }

  setRoom(room: string): void {
    this.#roomName = room;
  }

  /** Data goes through the room; there is no WebRTC in this adapter. */
  setWebRtcOptions(): void {}

  setServerConnectListeners(
    success: (clientId: string) => void,
    failure: (errorCode: string, message: string) => void,
  ): void {
    this.#success = success;
    this.#failure = failure;
  }

  setRoomOccupantListener(listener: (occupants: Occupants) => void): void {
    this.#occupants = listener;
  }

  setDataChannelListeners(
    opened: (clientId: string) => void,
    closed: (clientId: string) => void,
    received: (from: string, dataType: string, data: unknown) => void,
  ): void {
    this.#opened = opened;
    this.#closed = closed;
    this.#received = received;
  }

  async connect(): Promise<void> {
    try {
      await this.#connect();
    } catch (cause) {
      const error = CentroidError.from(cause);
      this.#failure(error.code, error.message);
    }
  }

  disconnect(): void {
    void this.#room?.leave();
    this.#room = undefined;
    this.#client?.dispose();
    this.#connected.clear();
  }

  shouldStartConnectionTo(): boolean {
    return true;
  }

  startStreamConnection(clientId: string): void {
    this.#connected.add(clientId);
    this.#opened(clientId);
  }

  closeStreamConnection(clientId: string): void {
    this.#connected.delete(clientId);
    this.#parts.forget(clientId);
    this.#closed(clientId);
  }

  getConnectStatus(clientId: string): string {
    return this.#connected.has(clientId) ? IS_CONNECTED : NOT_CONNECTED;
  }

  getMediaStream(): Promise<MediaStream> {
    return Promise.reject(
      new CentroidError("BAD_REQUEST", "this adapter carries data only, no voice or video"),
    );
  }

  getServerTime(): number {
    return this.#time?.now() ?? Date.now();
  }

  sendData(clientId: string, dataType: string, data: unknown): void {
    this.#send({ to: clientId, type: dataType, data });
  }

  sendDataGuaranteed(clientId: string, dataType: string, data: unknown): void {
    this.sendData(clientId, dataType, data);
  }

  broadcastData(dataType: string, data: unknown): void {
    this.#send({ type: dataType, data });
  }

  broadcastDataGuaranteed(dataType: string, data: unknown): void {
    this.broadcastData(dataType, data);
  }

  #send(message: Outgoing): void {
    try {
      for (const part of cut(message, this.#sent++)) this.#room?.send("naf", part);
    } catch (cause) {
      // networked-aframe sends from within its frame loop, which an error would end.
      console.error("[centroid]", CentroidError.from(cause).message);
    }
  }

  async #connect(): Promise<void> {
    const url = new URL(this.#url, globalThis.location.href);
    const network = url.searchParams.get("network");
    const client = new CentroidClient(url.origin, { ...(network !== null && { network }) });
    const channel = `${this.#app}/${this.#roomName}`;
    this.#client = client;
    const room = await client.joinOrCreate<RelayView>(ROOM_TYPE, { channel });
    this.#room = room;
    this.#time = new ServerTime(room as CentroidRoom);
    room.onMessage("naf", (message: unknown) => {
      const incoming = incomingSchema.parse(message);
      const whole = this.#parts.read(incoming);
      if (whole !== undefined) this.#received(incoming.from, whole.type, whole.data);
    });
    await this.#time.measure();
    this.#success(room.sessionId);
    room.onStateChange(() => this.#look(channel));
    this.#look(channel);
    room.onLeave((code, reason) => {
      if (this.#room === room) this.#putOut(room.sessionId, code, reason ?? "");
    });
  }

  /**
   * The room, or its operator, ended this session: the page must hear of it. networked-aframe knows of no such end, so
   * its own sign of being connected is taken back and an event says the rest.
   */
  #putOut(clientId: string, code: number, reason: string): void {
    this.#room = undefined;
    this.#client?.dispose();
    this.#present = "";
    this.#occupants({});
    this.#connected.clear();
    const { NAF, document } = globalThis as { NAF?: NafGlobal; document?: Document };
    if (NAF?.clientId === clientId) NAF.clientId = "";
    this.#failure("DISCONNECTED", `the session has ended (${code}${reason && `, ${reason}`})`);
    document?.body.dispatchEvent(new CustomEvent("disconnected", { detail: { clientId, code, reason } }));
  }

  /** Tells networked-aframe who is there, when that has changed. */
  #look(channel: string): void {
    const room = this.#room;
    const occupants: Occupants = {};
    room?.state?.occupants?.forEach((occupant, id) => {
      if (id !== room.sessionId && occupant.channel === channel) occupants[id] = occupant.joinedAtMs;
    });
    const present = Object.keys(occupants).sort().join();
    if (present === this.#present) return;
    this.#present = present;
    this.#occupants(occupants);
  }
}
