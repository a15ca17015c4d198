/** Rooms in containers: their root, their start and their live migration by criu. */
export { type ContainerConfig, type ContainerSettings, containerConfigSchema } from "./base/config.js";
export { endContainers } from "./container/find.js";
export { buildRoomRoot } from "./container/room-root.js";
export { criuProblem } from "./criu/criu.js";
export { containerCapacity, prepareContainerHost, readContainerSettings } from "./host/container-host.js";
export { containerTrial } from "./host/trial.js";
export { CONTAINER_AGENT_MAIN } from "./program.js";
