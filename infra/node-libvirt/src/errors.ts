/** What can go wrong: libvirt said no, or the addon is not there. */

/** The codes a caller is likely to act on; the full list is libvirt's virErrorNumber. */
export const libvirtErrorCode = {
  internal: 1,
  invalidArgument: 8,
  operationFailed: 9,
  rpc: 39,
  noDomain: 42,
  domainExists: 28,
  operationInvalid: 55,
  systemError: 38,
  noConnect: 5,
  operationTimeout: 68,
  migratePersistFailed: 69,
  operationAborted: 78,
  operationUnsupported: 84,
  migrateFinishOk: 93,
} as const;

/** The rejection of a native call, as the addon hands it over. */
interface NativeError {
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly message: string;
  readonly operation: string;
}

function isNativeError(value: unknown): value is NativeError {
  return (
    typeof value === "object" &&
    value !== null &&
    "operation" in value &&
    "code" in value &&
    typeof value.code === "number"
  );
}

/** libvirt refused or failed a call. Numbers are libvirt's own: virErrorNumber, virErrorDomain, virErrorLevel. */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  /** The operation that failed, such as `migrateToUri`. */
  readonly operation: string;

  constructor(error: NativeError) {
    super(`${error.operation}: ${error.message}`);
    this.code = error.code;
    this.domain = error.domain;
    this.level = error.level;
    this.operation = error.operation;
  }

  /** Turns what a native call rejected with into a `LibvirtError`; anything else passes unchanged. */
  static from(cause: unknown): unknown {
    return isNativeError(cause) ? new LibvirtError(cause) : cause;
  }
}

/** The native part is not built, or was built for another Node or libvirt. */
export class LibvirtAddonMissingError extends Error {
  override readonly name = "LibvirtAddonMissingError";
  readonly code = "LIBVIRT_ADDON_MISSING";

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    super(
      `The libvirt addon does not load (${reason}). Install Debian's libvirt-dev and pkg-config, then run: npm run build:libvirt`,
      { cause },
    );
  }
}
