/** What a host of one's own is told: the documented files, wrong ones, and what keeps a machine from moving there. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressAt, countOf, guestMac, isWithin, networkOf } from "@centroid/agent";
import { hypervisorSettings, kernelSettings, socketBuffers } from "@centroid/emulation";
import { misfit, type PeerOffer, readOffer, readVmSettings } from "@centroid/vm-carrier";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { Cli } from "../support/run-cli.js";

const blocks = codeBlocks(join(import.meta.dirname, "../../docs/vm.md"));
const documented = (title: string): string => blocks.find((block) => block.title === title)?.code ?? "";
const folder = mkdtempSync(join(tmpdir(), "centroid-vm-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(value: unknown): string {
  const file = join(folder, "vm.json");
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return file;
}
const example = JSON.parse(documented("vm.json")) as Record<string, unknown>;

describe("docs/vm.md", () => {
  it("has a vm.json that is valid", async () => {
    expect(await readVmSettings(write(documented("vm.json")))).toEqual({
      ...example,
      guestDirectory: "/var/lib/libvirt/centroid",
    });
  });

  it("has the settings of libvirt that the tests' hosts run with", () => {
    const { libvirtd, qemu } = hypervisorSettings("10.80.0.11");
    expect(documented("/etc/libvirt/libvirtd.conf")).toBe(libvirtd);
    expect(documented("/etc/libvirt/qemu.conf")).toBe(qemu);
  });

  it("has the kernel settings of the tests' hosts, with the buffers of the link that it names", () => {
    const hosts = [{ name: "a" }, { name: "b" }];
    const link = { a: "a", b: "b", rttMs: 20, jitterMs: 0, loss: 0, up: true, megabitsPerS: 1_000 };
    const all = { ...kernelSettings, ...socketBuffers("a", hosts, [link]) };
    const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`);
    expect(documented("/etc/sysctl.d/50-centroid.conf").trim().split("\n").sort()).toEqual(lines.sort());
  });
});

describe("vm.json", () => {
  it.each([
    ["{", /is no JSON/],
    [{ ...example, bridges: "br0" }, /[Uu]nrecognized key.*bridges/],
    [{ ...example, libvirtUri: "xen:///system" }, /must look like qemu:\/\/\/system.*libvirtUri/],
    [{ ...example, peerAddress: "10.80.0.11" }, /must look like 10\.80\.0\.11:16509.*peerAddress/],
    [{ ...example, network: "10.80.0.0" }, /must look like 10\.80\.0\.0\/16.*network/],
    [{ ...example, network: "10.80.0.0/31" }, /between 8 and 30 bits.*network/],
    [
      { ...example, addresses: { from: "10.81.0.1", to: "10.81.0.9" } },
      /within 10\.80\.0\.1 to 10\.80\.255\.254/,
    ],
    [{ ...example, addresses: { from: "10.80.0.0", to: "10.80.0.9" } }, /within 10\.80\.0\.1/],
    [
      { ...example, addresses: { from: "10.80.9.9", to: "10.80.9.8" } },
      /10\.80\.9\.9 comes after 10\.80\.9\.8/,
    ],
    [{ ...example, addresses: { from: "10.80.0.1", to: "10.80.0.9" } }, /10\.80\.0\.1 is in use \(gateway\)/],
    [
      { ...example, addresses: { from: "10.80.0.9", to: "10.80.0.12" } },
      /10\.80\.0\.11 is in use \(peerAddress\)/,
    ],
    [{ ...example, gateway: "10.81.0.1" }, /10\.81\.0\.1 is not in 10\.80\.0\.0\/16/],
    [{ ...example, guestDirectory: "guests" }, /absolute path.*guestDirectory/],
    [{ ...example, memoryMebibytes: 64 }, /memoryMebibytes/],
  ])("%j is refused", async (value, said) => {
    const file = write(value);
    await expect(readVmSettings(file)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(said),
    });
    const message = await readVmSettings(file).catch((cause: Error) => cause.message);
    expect(message).toMatch(/^\S+vm\.json: [^\n]*; see docs\/vm\.md, "Hosts of your own"$/);
  });

  it("is asked for with --carrier vm, and is for nothing else", async () => {
    await using cli = await Cli.create();
    const rooms = join(import.meta.dirname, "../fixtures/rooms");
    const host = ["--host-id", "a", "--lat", "0", "--lon", "0"];
    const agent = ["agent", "--broker", "ws://127.0.0.1:9", ...host, "--rooms", rooms];
    const env = { CENTROID_AGENT_TOKEN: "token-of-an-agent" };
    const wrong: [string[], RegExp][] = [
      [["--carrier", "vm"], /--carrier vm needs --vm FILE; see docs\/vm\.md/],
      [["--vm", "vm.json"], /--vm needs --carrier vm/],
      [["--carrier", "vm", "--vm", "nowhere.json"], /nowhere\.json: ENOENT/],
    ];
    for (const [args, said] of wrong)
      expect(await cli.run([...agent, ...args], env)).toMatchObject({
        code: 2,
        err: expect.stringMatching(said),
      });
  });
});

describe("addresses of guests", () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const network = fc
    .tuple(byte, byte, byte, byte, fc.integer({ min: 8, max: 30 }))
    .map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`);

  it("lie in their network, and each has a MAC of its own", () => {
    fc.assert(
      fc.property(network, fc.nat(), fc.nat(), (cidr, one, two) => {
        const range = networkOf(cidr);
        const count = countOf(range);
        expect(count).toBe(2 ** (32 - range.prefixBits) - 2);
        const [a, b] = [addressAt(range, one % count), addressAt(range, two % count)];
        expect(isWithin(a, range) && isWithin(b, range)).toBe(true);
        expect(a === b).toBe(one % count === two % count);
        expect(guestMac(a) === guestMac(b)).toBe(a === b);
        expect(guestMac(a)).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
      }),
    );
  });

  it("end where their range ends", () => {
    const range = { from: "10.0.0.250", to: "10.0.1.5" };
    expect(addressAt(range, 0)).toBe("10.0.0.250");
    expect(addressAt(range, countOf(range) - 1)).toBe("10.0.1.5");
    expect(() => addressAt(range, countOf(range))).toThrow(RangeError);
  });
});

describe("a machine's fit to a host", () => {
  const here = { guestDirectory: "/g", bridge: "br0", network: "10.80.0.0/16", accelerator: "kvm" as const };
  const there: PeerOffer = { ...here, kernels: ["/g/image-1/vmlinuz", "/g/image-2/vmlinuz"] };
  const xml = "<domain><os><kernel>/g/image-1/vmlinuz</kernel></os></domain>";

  it("needs the same bridge, network, directory and image, and KVM if it runs under it", () => {
    expect(misfit(here, xml, "b", there)).toBeUndefined();
    expect(
      misfit({ ...here, accelerator: "tcg" }, xml, "b", { ...there, accelerator: "tcg" }),
    ).toBeUndefined();
    expect(misfit({ ...here, accelerator: "tcg" }, xml, "b", there)).toBeUndefined();
    expect(misfit(here, xml, "b", { ...there, accelerator: "tcg" })).toMatch(/KVM, which b has not/);
    expect(misfit(here, xml, "b", { ...there, bridge: "br1" })).toMatch(/bridge is br0 here and br1 on b/);
    expect(misfit(here, xml, "b", { ...there, network: "10.0.0.0/8" })).toMatch(/network is/);
    expect(misfit(here, xml, "b", { ...there, guestDirectory: "/h" })).toMatch(/guestDirectory is/);
    expect(misfit(here, xml, "b", { ...there, kernels: ["/g/image-2/vmlinuz"] })).toMatch(
      /b has no guest image \/g\/image-1\/vmlinuz: copy its folder there/,
    );
  });

  it("is read from a ticket of ours only", () => {
    expect(readOffer(JSON.stringify(there))).toEqual(there);
    for (const ticket of ["", "1f2a", "{}", JSON.stringify({ ...there, kernels: "all" })])
      expect(misfit(here, xml, "b", readOffer(ticket))).toMatch(/another version/);
  });
});
