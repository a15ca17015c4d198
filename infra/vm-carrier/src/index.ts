/** Rooms in virtual machines: the guest image, its start and its live migration. */
export { type VmConfig, type VmSettings, vmConfigSchema } from "./base/config.js";
export { type AcceleratorChoice, detectAccelerator } from "./guest/accelerator.js";
export { type GuestIdentity, GuestSilentError } from "./guest/control-channel.js";
export type { Accelerator } from "./guest/domain-xml.js";
export { type Guest, GuestHost, type GuestHostOptions } from "./guest/guests.js";
export { prepareVmHost, readVmSettings, vmCapacity } from "./host/vm-host.js";
export { buildGuestImage, type GuestImage, type ImageOptions, readGuestImage } from "./image/image.js";
export { buildRoomsImage, roomsImageDirectory } from "./image/rooms-image.js";
export { MigrationPredictor, type ObservedMigration } from "./migration/learned-costs.js";
export { migrateGuest } from "./migration/migrate.js";
export type {
  VmDestination,
  VmMigrationOptions,
  VmMigrationOutcome,
  VmMode,
  VmProgress,
} from "./migration/migration-options.js";
export { misfit, type PeerOffer, readOffer } from "./migration/peer-offer.js";
export { chooseMode, type MigrationCost, type Prediction, predictMigration } from "./migration/predict.js";
export { VM_AGENT_MAIN } from "./program.js";
export {
  type GuestOwnership,
  type GuestView,
  judge,
  type Reconciled,
  reconcile,
  type VmHost,
} from "./rooms/reconcile.js";
