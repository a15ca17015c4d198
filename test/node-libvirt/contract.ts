/** What the binding promises on any hypervisor. Run on libvirt's mock driver, and on real QEMU by the VM tests. */
import {
  Connection,
  type Domain,
  LibvirtError,
  type LibvirtEvent,
  libvirtErrorCode,
} from "@centroid/node-libvirt";
import { afterEach, beforeEach, expect, it } from "vitest";

export interface ContractTarget {
  readonly uri: () => string;
  /** Domain XML that starts here. */
  readonly domainXml: (name: string) => string;
  readonly savePath: () => string;
}

/** Collects events until one matches. */
export function nextEvent<T extends LibvirtEvent>(
  connection: Connection,
  matches: (event: LibvirtEvent) => event is T,
): Promise<T> {
  return new Promise((resolve) => {
    const stop = connection.onEvent((event) => {
      if (!matches(event)) return;
      stop();
      resolve(event);
    });
  });
}

function lifecycle(uuid: string, kind: string) {
  return (event: LibvirtEvent): event is LibvirtEvent & { type: "lifecycle" } =>
    event.type === "lifecycle" && event.uuid === uuid && event.kind === kind;
}

export function libvirtContract(target: ContractTarget): void {
  let connection: Connection;
  const made: Domain[] = [];

  async function create(name: string): Promise<Domain> {
    const domain = await connection.create(target.domainXml(name));
    made.push(domain);
    return domain;
  }

  beforeEach(async () => {
    connection = await Connection.open(target.uri());
  });
  afterEach(async () => {
    for (const domain of made.splice(0)) await domain.destroy().catch(() => {});
    await connection.close();
  });

  it("answers for the host", async () => {
    expect(await connection.getHostname()).not.toBe("");
    expect(await connection.getCapabilities()).toContain("<capabilities>");
    const { library, hypervisor } = await connection.getVersion();
    expect(library).toMatch(/^\d+\.\d+\.\d+$/);
    expect(hypervisor).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("starts, suspends, resumes and destroys a transient domain, with events", async () => {
    const domain = await create("contract-life");
    expect((await domain.getState()).state).toBe("running");
    const suspended = nextEvent(connection, lifecycle(domain.uuid, "suspended"));
    await domain.suspend();
    expect((await suspended).name).toBe("contract-life");
    expect((await domain.getState()).state).toBe("paused");
    const resumed = nextEvent(connection, lifecycle(domain.uuid, "resumed"));
    await domain.resume();
    await resumed;
    const stopped = nextEvent(connection, lifecycle(domain.uuid, "stopped"));
    await domain.destroy();
    await stopped;
    expect(await domain.exists()).toBe(false);
  });

  it("defines, finds, lists, starts and undefines a persistent domain", async () => {
    const domain = await connection.define(target.domainXml("contract-defined"));
    made.push(domain);
    expect((await domain.getState()).state).toBe("shutoff");
    expect((await connection.lookupByName("contract-defined")).uuid).toBe(domain.uuid);
    expect((await connection.lookupByUuid(domain.uuid)).name).toBe("contract-defined");
    expect((await connection.listDomains("inactive")).map((d) => d.name)).toContain("contract-defined");
    await domain.create();
    expect((await connection.listDomains("active")).map((d) => d.name)).toContain("contract-defined");
    expect(await domain.getXml()).toContain("<name>contract-defined</name>");
    await domain.destroy();
    await domain.undefine();
    expect(await domain.exists()).toBe(false);
  });

  it("saves a domain to a file and restores it", async () => {
    const domain = await create("contract-saved");
    await domain.save(target.savePath());
    expect(await domain.exists()).toBe(false);
    await connection.restore(target.savePath());
    expect((await domain.getState()).state).toBe("running");
  });

  it("keeps libvirt's code, domain, level and message of the call that failed", async () => {
    const failures = await Promise.allSettled([
      connection.lookupByName("no-such-domain"),
      connection.define("<nonsense>"),
      connection.restore("/nonexistent/file"),
    ]);
    const errors = failures.map((failure) => (failure.status === "rejected" ? failure.reason : undefined));
    for (const error of errors) expect(error).toBeInstanceOf(LibvirtError);
    expect(errors[0].code).toBe(libvirtErrorCode.noDomain);
    expect(errors[0].message).toMatch(/domain not found/i);
    expect(errors[0].level).toBe(2);
    expect(errors[0].domain).toBeGreaterThan(0);
    expect(errors[1].code).not.toBe(errors[0].code);
    expect(new Set(errors.map((error) => error.operation))).toEqual(
      new Set(["lookupByName", "defineXml", "restore"]),
    );
  });

  it("refuses to abort a job that is not there", async () => {
    const domain = await create("contract-idle");
    await expect(domain.abortJob()).rejects.toBeInstanceOf(LibvirtError);
    await expect(domain.abortJob()).rejects.not.toThrow("gave no reason");
  });

  it("works off the event loop: of 40 calls at once none ends before the loop turns", async () => {
    let settled = 0;
    const calls = Array.from({ length: 40 }, () => connection.getCapabilities().finally(() => settled++));
    // A call that did its work while it was made would have settled within the microtasks.
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(settled).toBe(0);
    await Promise.all(calls);
    expect(settled).toBe(40);
  });

  it("is unusable once closed, and closing again does nothing", async () => {
    await connection.close();
    await connection.close();
    await expect(connection.getHostname()).rejects.toThrow("is closed");
  });
}
