/** What happens to hosts. */
import type { RoomReport } from "@centroid/protocol";
import type { HostEntry } from "./host-registry.js";

export interface HostEvents {
  /** Its agent said hello, with the rooms that run there. `host.changed` follows. */
  "host.connected": { host: HostEntry; reports: readonly RoomReport[] };
  /** It is new, came back, went away, or an operator changed its state. */
  "host.changed": { host: HostEntry };
  /** Its load or memory changed, not its state. */
  "host.usage": { host: HostEntry };
  /** It has measured how fast it computes. */
  "host.measured": { host: HostEntry };
  /** It has been silent for longer than a late heartbeat explains; once per silence. */
  "host.suspected": { host: HostEntry };
  /** It counts as lost from now on. `host.changed` follows. */
  "host.lost": { host: HostEntry };
  /** It was away for so long that it is removed with its rooms. `host.removed` follows. */
  "host.forgotten": { host: HostEntry };
  "host.removed": { hostId: string };
}
