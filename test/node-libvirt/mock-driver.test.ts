/** The contract on `test:///default`, libvirt's mock hypervisor inside the library: no daemon, no root. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addonProblem, Connection, LibvirtError } from "@centroid/node-libvirt";
import { afterAll, describe, expect, it } from "vitest";
import { libvirtContract } from "./contract.js";

const problem = addonProblem();
if (problem) console.log(`skipped: libvirt mock-driver tier (${problem.message})`);

describe.skipIf(problem !== undefined)("libvirt binding on test:///default", () => {
  const directory = mkdtempSync(join(tmpdir(), "libvirt-contract-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  libvirtContract({
    uri: () => "test:///default",
    domainXml: (name) =>
      `<domain type="test"><name>${name}</name><memory unit="MiB">8</memory><os><type>hvm</type></os></domain>`,
    savePath: () => join(directory, "saved"),
  });

  it("rejects a URI nobody serves", async () => {
    await expect(Connection.open("nonsense:///")).rejects.toBeInstanceOf(LibvirtError);
    await expect(Connection.open("qemu+unix:///system?socket=/nowhere")).rejects.toThrow("/nowhere");
  });

  it("passes migration parameters to libvirt, which refuses them on this driver by name", async () => {
    await using connection = await Connection.open("test:///default");
    const domain = await connection.lookupByName("test");
    await expect(
      domain.migrate({ destinationUri: "test:///elsewhere", migrateUri: "tcp://192.0.2.1", postcopy: true }),
    ).rejects.toMatchObject({ name: "LibvirtError", operation: "migrateToUri" });
    expect((await domain.getState()).state).toBe("running");
  });

  it("does not start a migration whose signal is already aborted", async () => {
    await using connection = await Connection.open("test:///default");
    const domain = await connection.lookupByName("test");
    await expect(
      domain.migrate({ destinationUri: "test:///elsewhere", signal: AbortSignal.abort(new Error("enough")) }),
    ).rejects.toThrow("enough");
  });
});
