/** The first words of an agent's connection: a challenge, an answer that proves a token, the broker's own proof by it. */

import { type AgentToBroker, CentroidError, PROTOCOL_VERSION } from "@centroid/protocol";
import { newNonce, prove, proves } from "@centroid/protocol/node";

export type Answer = Extract<AgentToBroker, { type: "answer" }>;

export class Handshake {
  /** To be told to the agent. */
  readonly challenge = newNonce();
  readonly #accepted: (hostId: string) => readonly string[];
  #proved: { hostId: string; token: string } | undefined;

  /** @param accepted the tokens that open to a host */
  constructor(accepted: (hostId: string) => readonly string[]) {
    this.#accepted = accepted;
  }

  /** Who has proved to know which token; nobody yet if undefined. */
  get proved(): { hostId: string; token: string } | undefined {
    return this.#proved;
  }

  /**
   * @returns the broker's own proof
   * @throws CentroidError PROTOCOL_VERSION; UNAUTHORIZED for a proof by another token, or of another connection
   */
  answer({ protocol, hostId, nonce, proof }: Answer): string {
    if (protocol !== PROTOCOL_VERSION) {
      throw new CentroidError(
        "PROTOCOL_VERSION",
        `this broker speaks protocol ${PROTOCOL_VERSION}, host ${hostId} speaks ${protocol}; install the same version on both`,
      );
    }
    const what = { protocol, hostId, nonce, challenge: this.challenge };
    const token = this.#accepted(hostId).find((one) => proves(proof, one, "agent", what));
    if (token === undefined) {
      throw new CentroidError(
        "UNAUTHORIZED",
        `wrong agent token for host ${hostId}; start the agent with the host's own ("centroid agent-token ${hostId}" makes one), or with this deployment's if the host has none`,
      );
    }
    this.#proved = { hostId, token };
    return prove(token, "broker", what);
  }
}
