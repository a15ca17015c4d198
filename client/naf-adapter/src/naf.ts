/** What networked-aframe (0.14) asks of an adapter, and what an adapter needs of it. */

/** Connected players by client id; the value is when they joined, ms. */
export type Occupants = Record<string, number>;

export interface NafAdapter {
  setServerUrl(url: string): void;
  setApp(app: string): void;
  setRoom(room: string): void;
  setWebRtcOptions(options: { audio: boolean; video: boolean; datachannel: boolean }): void;
  setServerConnectListeners(
    success: (clientId: string) => void,
    failure: (errorCode: string, message: string) => void,
  ): void;
  setRoomOccupantListener(listener: (occupants: Occupants) => void): void;
  setDataChannelListeners(
    opened: (clientId: string) => void,
    closed: (clientId: string) => void,
    received: (from: string, dataType: string, data: unknown, source?: string) => void,
  ): void;
  connect(): Promise<void>;
  disconnect(): void;
  shouldStartConnectionTo(joinedAtMs: number): boolean;
  startStreamConnection(clientId: string): void;
  closeStreamConnection(clientId: string): void;
  getConnectStatus(clientId: string): string;
  getMediaStream(clientId: string): Promise<MediaStream>;
  /** ms, the same for all players of a room */
  getServerTime(): number;
  sendData(clientId: string, dataType: string, data: unknown): void;
  sendDataGuaranteed(clientId: string, dataType: string, data: unknown): void;
  broadcastData(dataType: string, data: unknown): void;
  broadcastDataGuaranteed(dataType: string, data: unknown): void;
}

export interface NafGlobal {
  /** Set while connected. */
  clientId?: string;
  adapters: { register(name: string, adapter: new () => NafAdapter): void };
}

/** Values of NAF.adapters.IS_CONNECTED and NOT_CONNECTED. */
export const IS_CONNECTED = "IS_CONNECTED";
export const NOT_CONNECTED = "NOT_CONNECTED";
