/** Aim at a moving target: fast to play, and late shots miss. An ordinary Colyseus room. */
import { type Client, Room } from "@colyseus/core";
import { ArenaPlayer, ArenaState, Target } from "../state/arena-state.js";
import { enter, GapBook, Ledger } from "../state/ledger.js";
import { echoSchema, type Input, inputSchema, joinSchema } from "../state/messages.js";

const TICK_MS = 50;
const MAX_PLAYERS = 64;
const FIELD_RADIUS = 100;
const HIT_RADIUS = 12;
/** Once around the field; the two axes differ so that the path does not repeat within minutes. */
const PERIOD_X_MS = 7_000;
const PERIOD_Y_MS = 4_300;

/** Where the target is at a time; players who know the rule can lead their shots. */
function targetAt(elapsedMs: number): { x: number; y: number } {
  return {
    x: FIELD_RADIUS * Math.sin((2 * Math.PI * elapsedMs) / PERIOD_X_MS),
    y: FIELD_RADIUS * Math.sin((2 * Math.PI * elapsedMs) / PERIOD_Y_MS),
  };
}

export default class Arena extends Room<{ state: ArenaState }> {
  override maxClients = MAX_PLAYERS;
  override state = new ArenaState();
  readonly #gaps = new GapBook();

  override onCreate(): void {
    this.state.target = new Target().assign(targetAt(0));
    this.setTimestep((deltaMs) => this.#step(deltaMs), TICK_MS);
    this.onMessage("input", inputSchema, (client: Client, input: Input) => this.#input(client, input));
    this.onMessage("echo", echoSchema, (client: Client, echo: { t: number }) => client.send("echo", echo));
  }

  override onJoin(client: Client, options?: unknown): void {
    const name = joinSchema.safeParse(options).data?.name ?? `player ${client.sessionId.slice(0, 4)}`;
    this.state.players.set(client.sessionId, new ArenaPlayer().assign({ name, ledger: new Ledger() }));
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#gaps.forget(client.sessionId);
  }

  /** The gaps of each player's numbering are not in the schema, so they travel by hand. */
  onFreeze(): unknown {
    return this.#gaps.toJSON();
  }

  onThaw(extra: unknown): void {
    this.#gaps.restore(extra as ReturnType<GapBook["toJSON"]>);
  }

  #step(deltaMs: number): void {
    this.state.elapsedMs += deltaMs;
    this.state.target.assign(targetAt(this.state.elapsedMs));
  }

  #input(client: Client, input: Input): void {
    const player = this.state.players.get(client.sessionId);
    if (!player) return;
    enter(player.ledger, this.#gaps.of(client.sessionId), input.n, input.nonce);
    player.x = input.x;
    player.y = input.y;
    if (input.fire) this.#shoot(client.sessionId, player);
  }

  #shoot(by: string, player: ArenaPlayer): void {
    const { target } = this.state;
    const hit = Math.hypot(player.x - target.x, player.y - target.y) <= HIT_RADIUS;
    player.shots += 1;
    if (hit) {
      player.hits += 1;
      player.score += 10;
    }
    this.state.broadcasts += 1;
    this.broadcast("shot", { n: this.state.broadcasts, by, x: player.x, y: player.y, hit });
  }
}
