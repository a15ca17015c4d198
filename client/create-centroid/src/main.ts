#!/usr/bin/env node
/** The `create-centroid` command, also `npm create centroid`. */
import { spawn } from "node:child_process";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { CreateError, createProject } from "./create.js";

const USAGE = `create-centroid FOLDER [--no-install]

Makes a project with a room, a page and a test, and installs what it needs.`;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(): Promise<number> {
  let parsed: { values: { "no-install"?: boolean; help?: boolean }; positionals: string[] };
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { "no-install": { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
  } catch (cause) {
    return failed(`${(cause as Error).message}\n${USAGE}`, EXIT_USAGE);
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (positionals.length > 1)
    return failed(`one folder only, not ${positionals.join(" ")}\n${USAGE}`, EXIT_USAGE);
  try {
    const { name, folder } = await createProject(positionals[0] ?? "");
    const install = values["no-install"] !== true;
    if (install) {
      const code = await npmInstall(folder);
      if (code !== 0) return failed(`npm install ended with code ${code}; ${folder} is there`, EXIT_FAILED);
    }
    const steps = [`cd ${relative(process.cwd(), folder) || "."}`, ...(install ? [] : ["npm install"])];
    process.stdout.write(
      `\n${name} is ready.\n\n${[...steps, "npm start    # broker, six hosts, your room and page", "npm test     # moves your room and checks that nothing is lost"].map((step) => `  ${step}`).join("\n")}\n`,
    );
    return 0;
  } catch (cause) {
    if (!(cause instanceof CreateError)) throw cause;
    return failed(cause.message, cause.code === "BAD_NAME" ? EXIT_USAGE : EXIT_FAILED);
  }
}

function failed(message: string, code: number): number {
  process.stderr.write(`error ${message}\n`);
  return code;
}

function npmInstall(folder: string): Promise<number | null> {
  const child = spawn("npm", ["install", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: "inherit",
    // npm is a script on Windows.
    shell: process.platform === "win32",
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve(null));
    child.once("exit", resolve);
  });
}

process.exitCode = await main();
