/** Which program an agent is, by what its rooms run in. */
import { CONTAINER_AGENT_MAIN } from "@centroid/container-carrier";
import type { CarrierKind } from "@centroid/protocol";
import { VM_AGENT_MAIN } from "@centroid/vm-carrier";

/** Undefined is the agent's own, which has only processes. */
export const AGENT_PROGRAMS: Readonly<Record<CarrierKind, string | undefined>> = {
  process: undefined,
  vm: VM_AGENT_MAIN,
  container: CONTAINER_AGENT_MAIN,
};
