/** Typed client of the emulator's control API, for whoever moves players around. */
import { CentroidError } from "@centroid/protocol";
import { controlErrorSchema, type EmulatorStatus, emulatorStatusSchema } from "./config.js";

/** Talks to one emulator; needs no disposal. */
export class EmulatorControl {
  readonly #url: string;

  /** @param controlUrl as in `Emulator.controlUrl`, e.g. `http://127.0.0.1:40000/control` */
  constructor(controlUrl: string) {
    this.#url = controlUrl;
  }

  /**
   * Moves a label to a site; connections under the label live on at the new distance.
   * @throws CentroidError NOT_FOUND for a site that is not in the table
   */
  async setSite(label: string, siteId: string): Promise<void> {
    await this.#call("PUT", "/labels", { label, siteId });
  }

  /**
   * Makes an address of a host reachable.
   * @throws CentroidError NOT_FOUND for a host that the emulator was not started with
   */
  async addTarget(hostId: string, port: number): Promise<void> {
    await this.#call("PUT", "/targets", { hostId, port });
  }

  /** @throws CentroidError INTERNAL if the emulator answers with something else */
  async status(): Promise<EmulatorStatus> {
    const parsed = emulatorStatusSchema.safeParse(await this.#call("GET", ""));
    if (!parsed.success)
      throw new CentroidError("INTERNAL", `${this.#url} is not a emulator's control address`);
    return parsed.data;
  }

  async #call(method: "GET" | "PUT", path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    }).catch((cause) => {
      throw new CentroidError("INTERNAL", `no emulator answers at ${this.#url}`, { cause });
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer;
    const reason = controlErrorSchema.safeParse(answer);
    const code = response.status === 404 ? "NOT_FOUND" : response.status === 400 ? "BAD_REQUEST" : "INTERNAL";
    throw new CentroidError(
      code,
      reason.success ? reason.data.error : `emulator answered ${response.status}`,
    );
  }
}
