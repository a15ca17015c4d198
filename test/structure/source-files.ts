/** The sources of all packages with what each imports and declares, for the checks in this folder. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parseSync } from "oxc-parser";

export const ROOT = join(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the top of the checkout. */
  readonly path: string;
  /** Folder of its package. */
  readonly packageFolder: string;
  readonly imports: readonly string[];
  /** Names that it declares and exports itself; re-exports do not count. */
  readonly declares: readonly string[];
}

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  /** Pages are bundled: what they need is not installed with them. */
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Workspace folders with their manifests. */
export function workspaces(): Map<string, Manifest> {
  const { workspaces: folders } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    workspaces: string[];
  };
  return new Map(
    folders.map((folder) => [folder, JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"))]),
  );
}

/** Every source file that git knows or would add. */
export function sourceFiles(): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter(
      (path) =>
        /^[^\s]+\/src\/.+\.tsx?$/.test(path) && !path.startsWith("test/") && !path.includes("/template/"),
    )
    .filter((path) => existsSync(join(ROOT, path)))
    .map((path) => {
      const { module } = parseSync(path, readFileSync(join(ROOT, path), "utf8"));
      const imports = [
        ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
        ...module.staticExports.flatMap(({ entries }) =>
          entries.flatMap(({ moduleRequest }) => (moduleRequest === null ? [] : [moduleRequest.value])),
        ),
      ];
      const declares = module.staticExports.flatMap(({ entries }) =>
        entries.flatMap(({ moduleRequest, exportName }) =>
          moduleRequest === null && exportName.name !== null && exportName.name !== undefined
            ? [exportName.name]
            : [],
        ),
      );
      return {
        path,
        packageFolder: path.slice(0, path.indexOf("/src/")),
        imports,
        declares: [...new Set(declares)],
      };
    });
}

/** The folder that a relative import leads to. */
export const importedFolder = (from: string, specifier: string): string =>
  dirname(normalize(join(dirname(from), specifier)));
