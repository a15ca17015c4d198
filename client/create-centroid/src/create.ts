/** Writes a new project into a folder of its own. Nothing that is there is touched. */
import { cp, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestOf } from "./manifest.js";
import { nameProblem } from "./name.js";

const TEMPLATE = fileURLToPath(new URL("../template", import.meta.url));

/** What a person can put right; the message says how. */
export class CreateError extends Error {
  readonly code: "BAD_NAME" | "NOT_EMPTY" | "NOT_WRITABLE";

  constructor(code: CreateError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CreateError";
    this.code = code;
  }
}

export interface Project {
  readonly name: string;
  readonly folder: string;
}

/**
 * @param path folder to make, relative to the current one; its last part is the project's name
 * @throws CreateError
 */
export async function createProject(path: string): Promise<Project> {
  const folder = resolve(path);
  const name = path.trim() === "" ? "" : basename(folder);
  const problem = nameProblem(name);
  if (problem !== undefined) throw new CreateError("BAD_NAME", problem);
  try {
    await mkdir(folder, { recursive: true });
    if ((await readdir(folder)).length > 0)
      throw new CreateError("NOT_EMPTY", `${folder} is not empty; choose another name or empty it first`);
    await cp(TEMPLATE, folder, { recursive: true });
    // npm leaves a .gitignore out of packages.
    await rename(join(folder, "_gitignore"), join(folder, ".gitignore"));
    await writeFile(join(folder, "package.json"), `${JSON.stringify(manifestOf(name), null, 2)}\n`);
    const readme = join(folder, "README.md");
    await writeFile(readme, (await readFile(readme, "utf8")).replaceAll("PROJECT", name));
  } catch (cause) {
    if (cause instanceof CreateError) throw cause;
    const { message } = cause as Error;
    throw new CreateError("NOT_WRITABLE", `${folder} cannot be written: ${message}`, { cause });
  }
  return { name, folder };
}
