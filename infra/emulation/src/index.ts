/** Emulated distance between players and hosts, and the namespaced test network. Never needed by an agent. */
export type { DistanceEmulatorOptions, EmulatorStatus } from "./distance/config.js";
export { EmulatorControl } from "./distance/control-client.js";
export { type DistanceEmulator, startDistanceEmulator } from "./distance/start-distance-emulator.js";
export { benchVmMigration, type VmBenchOptions, type VmBenchRun } from "./lab/bench-migrate.js";
export { socketBuffers } from "./lab/buffers.js";
export { type DeployLab, startContainerLab, startDeployLab } from "./lab/deploy-lab.js";
export { GuestPair, type GuestPairOptions, type PairHost } from "./lab/guest-pair.js";
export { hypervisorSettings } from "./lab/hypervisor.js";
export { Lab, type LabHost } from "./lab/lab.js";
export { labProblem } from "./lab/lab-problem.js";
export type { LabPlace } from "./lab/lab-state.js";
export { kernelSettings } from "./lab/namespaces.js";
export { LabPlayer } from "./lab/player.js";
export type { LabProbeReport } from "./lab/probe.js";
export type { LinkTraffic } from "./lab/switch.js";
export {
  defaultTopology,
  type LabLink,
  type LinkProperties,
  labGuests,
  labNetwork,
  parseTopology,
  readTopology,
  type Topology,
} from "./lab/topology.js";
