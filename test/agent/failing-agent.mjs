/** An agent whose carrier does not say what it runs, once a broker knows the host. */
import { runAgentProcess } from "@centroid/agent";

const nothing = () => undefined;

let asked = 0;
runAgentProcess({
  process: (_config, { notice }) => ({
    kind: "process",
    has: () => false,
    handle: async () => ({}),
    reports: async () => {
      if (asked++ > 0) throw new Error("the room host does not answer");
      return [];
    },
    saveRooms: async () => notice("its rooms are saved"),
    ...{ warmUp: nothing, checkpointed: nothing, measure: nothing, renewLease: nothing, published: nothing },
    usage: () => ({ cpuMicros: 0, rssBytes: 0 }),
    [Symbol.asyncDispose]: async () => undefined,
  }),
});
