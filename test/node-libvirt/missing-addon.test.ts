/** Without the native part: importing works, using it says what to run. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

it("imports without the addon and explains itself on use", () => {
  const copy = mkdtempSync(join(tmpdir(), "libvirt-missing-"));
  try {
    cpSync("infra/node-libvirt/dist", join(copy, "dist"), { recursive: true });
    const script = `
      const { Connection, addonProblem } = await import(${JSON.stringify(join(copy, "dist/index.js"))});
      const error = await Connection.open("test:///default").catch((e) => e);
      console.log(JSON.stringify({ code: error.code, message: error.message, same: addonProblem().code }));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    const told = JSON.parse(output);
    expect(told.code).toBe("LIBVIRT_ADDON_MISSING");
    expect(told.same).toBe("LIBVIRT_ADDON_MISSING");
    expect(told.message).toContain("npm run build:libvirt");
  } finally {
    rmSync(copy, { recursive: true });
  }
});
