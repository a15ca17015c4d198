/** Rooms in virtual machines: the guest image, its start and its live migration. */
export { type AcceleratorChoice, detectAccelerator } from "./accelerator.js";
export { type GuestIdentity, GuestSilentError } from "./control-channel.js";
export type { Accelerator } from "./domain-xml.js";
export { type Guest, GuestHost, type GuestHostOptions } from "./guests.js";
export { buildGuestImage, type GuestImage, type ImageOptions, readGuestImage } from "./image.js";
export {
  migrateGuest,
  type VmDestination,
  type VmMigrationOptions,
  type VmMigrationOutcome,
  type VmMode,
  type VmProgress,
} from "./migrate.js";
export {
  chooseMode,
  type MigrationCost,
  MigrationPredictor,
  type Prediction,
  predictMigration,
} from "./predict.js";
export { type GuestView, judge, type Reconciled, reconcile, type Verdict, type VmHost } from "./reconcile.js";
