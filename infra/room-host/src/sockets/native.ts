/** Whether uWebSockets.js runs here, and if not, why: its binaries are made for some versions of Node and of glibc. */
type Uws = typeof import("uWebSockets.js");

type Native = { state: "loaded"; uws: Uws } | { state: "missing"; reason: string };

/** What decides which binary is wanted and whether it loads. */
export interface Runtime {
  /** As in `process.versions.node`. */
  node: string;
  /** Version of Node's native interface, which is in the binaries' names. */
  abi: string;
  platform: string;
  arch: string;
  /** Undefined where the C library is another one. */
  glibc: string | undefined;
}

/** Loads it, once per process. */
export async function loadUws(): Promise<Native> {
  try {
    const loaded = await import("uWebSockets.js");
    return { state: "loaded", uws: loaded.default ?? loaded };
  } catch (cause) {
    return { state: "missing", reason: explainUwsFailure(String(cause), thisRuntime()) };
  }
}

/** Why uWebSockets.js does not run here; undefined if it does. To be said once, where somebody starts something. */
export async function uwsProblem(): Promise<string | undefined> {
  const native = await loadUws();
  return native.state === "loaded" ? undefined : native.reason;
}

/**
 * The cause in one sentence. The package's own message blames the version of Node whatever it was; what the system's
 * loader or Node said is in the lines below it.
 */
export function explainUwsFailure(message: string, { node, abi, platform, arch, glibc }: Runtime): string {
  const [major] = node.split(".");
  const [, wanted] = /version `GLIBC_([\d.]+)' not found/.exec(message) ?? [];
  if (wanted !== undefined)
    return `its binary for Node ${major} needs glibc ${wanted}, and this system has ${glibc ?? "another C library"}`;
  if (/Cannot find module '\.\/uws_/.test(message))
    return `it has no binary for Node ${major} (ABI ${abi}) on ${platform} ${arch}`;
  if (/Cannot find (package|module) 'uWebSockets\.js'/.test(message)) return "it is not installed";
  return message.split("\n").at(-1) ?? message;
}

function thisRuntime(): Runtime {
  const { platform, arch, versions } = process;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return {
    node: versions.node,
    abi: versions.modules,
    platform,
    arch,
    glibc: report.header?.glibcVersionRuntime,
  };
}
