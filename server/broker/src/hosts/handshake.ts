/** The first words of an agent's connection: a challenge, an answer that proves the agent token, the broker's own proof. */

import { type AgentToBroker, CentroidError, PROTOCOL_VERSION } from "@centroid/protocol";
import { newNonce, prove, proves } from "@centroid/protocol/node";

export type Answer = Extract<AgentToBroker, { type: "answer" }>;

export class Handshake {
  /** To be told to the agent. */
  readonly challenge = newNonce();
  readonly #token: string;
  #hostId: string | undefined;

  constructor(token: string) {
    this.#token = token;
  }

  /** Who has proved to know the token; nobody yet if undefined. */
  get hostId(): string | undefined {
    return this.#hostId;
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
    if (!proves(proof, this.#token, "agent", what)) {
      throw new CentroidError(
        "UNAUTHORIZED",
        `wrong agent token for host ${hostId}; start the agent with this broker's token`,
      );
    }
    this.#hostId = hostId;
    return prove(this.#token, "broker", what);
  }
}
