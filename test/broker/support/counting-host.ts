/**
 * One host with a connection to each of several brokers. It names players to the broker that decides about their room and
 * counts them for the others, by the code by which agents do.
 */
import type { Broker } from "@centroid/broker";
import type { RoomEvent } from "@centroid/protocol";
import { RoomPlayers } from "../../../infra/agent/dist/room-players.js";
import { FakeAgent, type FakeAgentOptions, type FakeRoom } from "./fake-agent.js";

export class CountingHost implements Disposable {
  /** One for each broker. */
  readonly agents: FakeAgent[] = [];
  readonly #rooms = new Map<string, FakeRoom>();
  readonly #players = new RoomPlayers(this.agents);

  static async start(
    brokers: readonly Pick<Broker, "url" | "agentToken">[],
    hostId: string,
    more: Partial<FakeAgentOptions> = {},
  ): Promise<CountingHost> {
    const host = new CountingHost();
    for (const broker of brokers) await host.connect(broker, hostId, more);
    return host;
  }

  async connect(
    { url, agentToken }: Pick<Broker, "url" | "agentToken">,
    hostId: string,
    more: Partial<FakeAgentOptions> = {},
  ): Promise<void> {
    const agent: FakeAgent = await FakeAgent.start({
      ...{ url, token: agentToken, hostId, net: new Map(), rooms: this.#rooms },
      ...more,
      hello: { measures: true, counts: true, ...more.hello },
      onTracks: (gained) => {
        this.#players.tellAll(agent, gained);
        this.#players.countAll();
      },
    });
    this.agents.push(agent);
    this.#players.countAll();
  }

  /** The connection to the broker that decides about the room. */
  decider(roomId: string): FakeAgent | undefined {
    return this.agents.find((agent) => !agent.everyone && agent.tracks(roomId));
  }

  /** A room that one of the brokers has had made here: the others are told. */
  made(roomId: string): FakeRoom {
    const room = this.#rooms.get(roomId);
    const [first] = this.agents;
    if (room === undefined || first === undefined) throw new Error(`no room ${roomId} here`);
    const change: RoomEvent = { event: "running", report: first.report(room) };
    this.#players.note({ type: "room", roomId, epoch: room.epoch, change });
    for (const agent of this.agents) agent.tell(room, change);
    return room;
  }

  joined(room: FakeRoom, sessionId: string, playerId: string | undefined): void {
    room.sessions.set(sessionId, { playerId });
    this.#note(room, { event: "joined", sessionId, ...(playerId !== undefined && { playerId }) });
  }

  left(room: FakeRoom, sessionId: string): void {
    room.sessions.delete(sessionId);
    this.#note(room, { event: "left", sessionId });
  }

  #note({ roomId, epoch }: FakeRoom, change: RoomEvent): void {
    this.#players.note({ type: "room", roomId, epoch, change });
  }

  [Symbol.dispose](): void {
    this.#players[Symbol.dispose]();
    for (const agent of this.agents) agent.disconnect();
  }
}
