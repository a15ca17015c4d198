/** What the system, or lmdb, says of a file or folder that cannot be written, and what an operator can do about it. */
import { CentroidError } from "../errors.js";

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "its disk is full: free some space"],
  ["EDQUOT", "the quota is used up: free some space"],
  ["EROFS", "its file system is read-only: mount it for writing"],
  ["EIO", "its disk fails: look at the kernel's log"],
  ["EFBIG", "the limit on the size of files is reached: raise it (ulimit -f)"],
  ["EACCES", "it belongs to another user: change its owner"],
  ["EPERM", "it belongs to another user: change its owner"],
  ["ENOTDIR", "a part of its path is a file"],
  ["EEXIST", "there is a file of that name"],
]);
/** lmdb gives the system's numbers, and two of its own: its map cannot grow, and it does not trust its file any more. */
const LMDB_CODES: ReadonlyMap<number, string> = new Map([
  [1, "EPERM"],
  [5, "EIO"],
  [13, "EACCES"],
  [27, "EFBIG"],
  [28, "ENOSPC"],
  [30, "EROFS"],
  [122, "EDQUOT"],
  [-30792, "ENOSPC"],
  [-30795, "EIO"],
]);

/** Why something could not be written. */
export interface DiskFault {
  /** The system's word for it. */
  code: string;
  /** What is wrong, and what to do. */
  remedy: string;
}

/** @returns nothing if an error says nothing about the disk */
export function diskFaultOf(cause: unknown): DiskFault | undefined {
  const said = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const code = typeof said === "number" ? LMDB_CODES.get(said) : said;
  if (typeof code !== "string") return undefined;
  const remedy = REMEDIES.get(code);
  return remedy === undefined ? undefined : { code, remedy };
}

/** @returns CentroidError CONFIG_INVALID: why a folder of the operator's choice cannot be used, and what to do about it */
export function unwritable(folder: string, cause: unknown): CentroidError {
  if (cause instanceof CentroidError) return cause;
  const { code, remedy } = diskFaultOf(cause) ?? { code: "error", remedy: CentroidError.from(cause).message };
  return new CentroidError(
    "CONFIG_INVALID",
    `cannot write the folder ${folder} (${code}): ${remedy}, or choose another one with --state-dir`,
    { cause },
  );
}
