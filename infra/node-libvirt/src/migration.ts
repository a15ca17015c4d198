/** The options of a live migration, and their translation into libvirt's flags and typed parameters. */
import type { Param } from "./binding.js";

/** virDomainMigrateFlags. */
const flag = {
  live: 1 << 0,
  peerToPeer: 1 << 1,
  tunnelled: 1 << 2,
  persistDestination: 1 << 3,
  undefineSource: 1 << 4,
  paused: 1 << 5,
  unsafe: 1 << 9,
  abortOnError: 1 << 12,
  autoConverge: 1 << 13,
  postcopy: 1 << 15,
  postcopyResume: 1 << 19,
} as const;

export interface MigrateOptions {
  /** The destination's libvirt, as the source's libvirt reaches it: `qemu+tcp://host/system`. */
  readonly destinationUri: string;
  /** Where QEMU itself connects, `tcp://address[:port]`; libvirt asks the destination when absent. */
  readonly migrateUri?: string;
  /** Address the destination QEMU listens on. */
  readonly listenAddress?: string;
  /** Allows `startPostCopy` while it runs. */
  readonly postcopy?: boolean;
  /** Slows the guest down when it dirties memory faster than the link carries it away. */
  readonly autoConverge?: boolean;
  readonly abortOnError?: boolean;
  readonly persistDestination?: boolean;
  readonly undefineSource?: boolean;
  /** Leaves the guest paused at the destination. */
  readonly paused?: boolean;
  /** MiB/s; unlimited when absent. */
  readonly bandwidthMebibytesPerS?: number;
  /** The same for the post-copy phase. */
  readonly postcopyBandwidthMebibytesPerS?: number;
  /** Domain XML for the destination where host-specific parts differ. */
  readonly destinationXml?: string;
  /** Aborting it cancels the job; the call then rejects and the guest goes on at the source. */
  readonly signal?: AbortSignal;
}

/** Flags and typed parameters of virDomainMigrateToURI3 for these options. Always live and peer to peer. */
export function migrateArguments(options: MigrateOptions): { flags: number; params: Param[] } {
  let flags: number = flag.live | flag.peerToPeer;
  if (options.postcopy) flags |= flag.postcopy;
  if (options.autoConverge) flags |= flag.autoConverge;
  if (options.abortOnError ?? true) flags |= flag.abortOnError;
  if (options.persistDestination) flags |= flag.persistDestination;
  if (options.undefineSource) flags |= flag.undefineSource;
  if (options.paused) flags |= flag.paused;
  const params: Param[] = [];
  if (options.migrateUri !== undefined) params.push(["migrate_uri", "s", options.migrateUri]);
  if (options.listenAddress !== undefined) params.push(["listen_address", "s", options.listenAddress]);
  if (options.destinationXml !== undefined) params.push(["destination_xml", "s", options.destinationXml]);
  if (options.bandwidthMebibytesPerS !== undefined) {
    params.push(["bandwidth", "u", options.bandwidthMebibytesPerS]);
  }
  if (options.postcopyBandwidthMebibytesPerS !== undefined) {
    params.push(["bandwidth.postcopy", "u", options.postcopyBandwidthMebibytesPerS]);
  }
  return { flags, params };
}
