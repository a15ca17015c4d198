/** Rooms in virtual machines: the guest image, its start and its live migration. */
export { type AcceleratorChoice, detectAccelerator } from "./accelerator.js";
export type { VmConfig, VmSettings } from "./config.js";
export { type GuestIdentity, GuestSilentError } from "./control-channel.js";
export type { Accelerator } from "./domain-xml.js";
export { GuestAddresses } from "./guest-addresses.js";
export { type AddressRange, addressAt, countOf, guestMac, isWithin, networkOf } from "./guest-network.js";
export { type Guest, GuestHost, type GuestHostOptions } from "./guests.js";
export { buildGuestImage, type GuestImage, type ImageOptions, readGuestImage } from "./image.js";
export { type MigrationOutcome, MigrationPredictor } from "./learned-costs.js";
export { migrateGuest } from "./migrate.js";
export type {
  VmDestination,
  VmMigrationOptions,
  VmMigrationOutcome,
  VmMode,
  VmProgress,
} from "./migration-options.js";
export { misfit, type PeerOffer, readOffer } from "./peer-offer.js";
export {
  chooseMode,
  type MigrationCost,
  type Prediction,
  predictMigration,
} from "./predict.js";
export { type GuestView, judge, type Reconciled, reconcile, type Verdict, type VmHost } from "./reconcile.js";
export { buildRoomsImage } from "./rooms-image.js";
export { prepareVmHost, readVmSettings, vmCapacity } from "./vm-host.js";
