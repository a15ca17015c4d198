/** Players who join through any broker, talk until they are told to stop, and write down what they say and hear. */
import { CentroidClient } from "@centroid/sdk";
import type { RecordedPlayer, RecordedSystem } from "../history/recorded-system.js";
import type { LedgerState } from "../support/ledger.js";

export class Talkers implements Disposable {
  readonly #brokers: readonly string[];
  readonly #recorded: RecordedSystem;
  readonly #clients: CentroidClient[] = [];

  constructor(brokers: readonly string[], recorded: RecordedSystem) {
    this.#brokers = brokers;
    this.#recorded = recorded;
  }

  /** A player in a new room. */
  async create(type: string, network: string): Promise<RecordedPlayer> {
    const client = this.#client(network);
    const create = () => client.create<LedgerState>(type, this.#recorded.options);
    // Hosts that have just been started may be too busy with that on a slow machine.
    const room = await create().catch(create).catch(create);
    return this.#talk(this.#recorded.player(room));
  }

  /** One more player in a room. */
  async join(roomId: string, network: string): Promise<RecordedPlayer> {
    const room = await this.#client(network).joinById<LedgerState>(roomId);
    return this.#talk(this.#recorded.player(room));
  }

  #client(network: string): CentroidClient {
    const client = new CentroidClient(this.#brokers, { network, probing: { intervalMs: 500 } });
    this.#clients.push(client);
    return client;
  }

  #talk(player: RecordedPlayer): RecordedPlayer {
    player.talk();
    return player;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.dispose();
  }
}
