/**
 * Going over remembered probes again, so that coordinates trained early learn from those trained late, and paths
 * that coordinates cannot show are learned.
 */
import type { HostSpace } from "./host-space.js";
import type { NodeSpace } from "./node-space.js";
import type { PathBias } from "./path-bias.js";
import { scaledResidual } from "./player-model.js";
import { outdate, type PlayerRecord } from "./player-record.js";
import { predictMs, relax, type Samples } from "./vivaldi.js";

const FULL_GAIN = 0.2;
const LEAST_GAIN = 0.01;
/** Estimates follow a player's coordinate in steps of so much. */
const FOLLOW_MS = 1;
/** Small enough that a settled map stays settled. */
const STEADY_GAIN = 0.05;
/** What was learned of paths is taken into use at most once in so many refinements: everyone is fit anew then. */
const LEAST_TURN = 512;

/**
 * A host is pulled by all players in turn, so each pulls it by that much less: else it would wander about the place
 * where they want it, and every step of it costs all who measured it a new fit. In a turn it moves as far however many
 * there are.
 */
const FEW_PLAYERS = 64;

/** Share of its step that a host makes when it is one of so many players' turn. */
export const hostShare = (players: number): number => Math.min(1, FEW_PLAYERS / players);

/** Players who may have left since a turn began, if there are not more than so many at a time. */
const LEAST_LEFT = 64;

export interface RefinementOptions {
  players: ReadonlyMap<string, PlayerRecord>;
  nodes: NodeSpace;
  hosts: HostSpace;
  bias: PathBias;
}

export class Refinement {
  readonly #options: RefinementOptions;
  /** Whose turn it is. While it stands, it holds on to all who have left since it stood there last. */
  #turn: IterableIterator<PlayerRecord>;
  #left = 0;
  #refined = 0;

  constructor(options: RefinementOptions) {
    this.#options = options;
    this.#turn = options.players.values();
  }

  /** O(players x measured hosts) per pass. */
  all(passes: number): void {
    const { players, nodes, hosts, bias } = this.#options;
    for (let pass = 0; pass < passes; pass++) {
      const gain = FULL_GAIN * (1 - pass / passes) + LEAST_GAIN;
      for (const player of players.values()) this.#relax(player, player.windows.samples(), gain, gain);
    }
    this.#followHosts();
    bias.turn(hosts.nodes.end);
    for (const player of players.values()) {
      nodes.publish(player.slot);
      outdate(player);
      player.cell = hosts.nearest(nodes.at, player.slot);
      this.#learnBias(player, player.windows.samples());
    }
    bias.turn(hosts.nodes.end);
    this.#begin();
  }

  /** A player has left. Turns begin anew before more are held on to than there are. */
  left(): void {
    if (++this.#left > Math.max(LEAST_LEFT, this.#options.players.size)) this.#begin();
  }

  #followHosts(): void {
    const { hosts } = this.#options;
    for (const slot of hosts.slots()) hosts.follow(slot);
  }

  /** Whoever has measured a host that moves is fit anew: once a turn, however many move and however far. */
  #begin(): void {
    this.#followHosts();
    this.#turn = this.#options.players.values();
    this.#left = 0;
  }

  /** One player after the other, so that each counts the same however often it pings. */
  next(): void {
    const { players, nodes, hosts, bias } = this.#options;
    let next = this.#turn.next();
    this.#refined++;
    if (next.done === true) {
      if (this.#refined >= LEAST_TURN) {
        this.#refined = 0;
        bias.turn(hosts.nodes.end);
      }
      this.#begin();
      next = this.#turn.next();
    }
    if (next.done === true) return;
    const samples = next.value.windows.samples();
    this.#relax(next.value, samples, STEADY_GAIN, STEADY_GAIN * hostShare(players.size));
    const { slot } = next.value;
    if (nodes.driftMs(slot) > FOLLOW_MS) {
      nodes.publish(slot);
      outdate(next.value);
    }
    this.#learnBias(next.value, samples);
  }

  #relax(player: PlayerRecord, { slots, rttsMs, count }: Samples, gain: number, hostGain: number): void {
    const { nodes, hosts } = this.#options;
    for (let s = 0; s < count; s++)
      relax(nodes.at, player.slot, hosts.nodes.at, slots[s] ?? 0, rttsMs[s] ?? 0, gain, hostGain);
  }

  #learnBias(player: PlayerRecord, { slots, rttsMs, count }: Samples): void {
    const { nodes, hosts, bias } = this.#options;
    for (let s = 0; s < count; s++) {
      const host = slots[s] ?? 0;
      const predictedMs = predictMs(nodes.at, player.slot, hosts.published, host);
      bias.add(player.cell, host, scaledResidual(rttsMs[s] ?? 0, predictedMs));
    }
  }
}
