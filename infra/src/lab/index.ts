/** The namespaced test network. */

export {
  benchVmMigration,
  type VmBenchOptions,
  type VmBenchRun,
  type VmLoad,
  vmLoads,
} from "./bench-migrate.js";
export { socketBuffers } from "./buffers.js";
export { type DeployLab, startDeployLab } from "./deploy-lab.js";
export { GuestPair, type GuestPairOptions, type PairHost } from "./guest-pair.js";
export { hypervisorSettings } from "./hypervisor.js";
export { Lab, type LabHost } from "./lab.js";
export { labProblem } from "./lab-problem.js";
export type { LabPlace } from "./lab-state.js";
export { kernelSettings } from "./namespaces.js";
export { LabPlayer, type ProbeReport } from "./player.js";
export type { LinkTraffic } from "./switch.js";
export {
  defaultTopology,
  type LabLink,
  type LinkProperties,
  labGuests,
  labNetwork,
  parseTopology,
  readTopology,
  type Topology,
} from "./topology.js";
