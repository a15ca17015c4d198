/**
 * Builds the guest: Debian's cloud kernel, and an initramfs with the virtio modules, a static init, this
 * machine's Node and one bundled program. Same inputs, same bytes.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@centroid/agent";
import { z } from "zod";
import { type ArchiveEntry, packArchive } from "./cpio.js";
import { type DebianKernel, findKernel } from "./debian-kernel.js";

/** In the order they must be loaded: each needs those before it. */
const modules = [
  "drivers/virtio/virtio_ring.ko",
  "drivers/virtio/virtio.ko",
  "drivers/virtio/virtio_pci_modern_dev.ko",
  "drivers/virtio/virtio_pci_legacy_dev.ko",
  "drivers/virtio/virtio_pci.ko",
  "net/core/failover.ko",
  "drivers/net/net_failover.ko",
  "drivers/net/virtio_net.ko",
] as const;
/** Changes whenever this file builds something else from the same inputs. */
const recipeVersion = 2;
/** Beyond 9, zstd takes minutes for the last 5 %. */
const compressionLevel = 9;

const manifestSchema = z.object({
  inputHash: z.string(),
  /** SHA-256 over kernel and initramfs. */
  hash: z.string(),
  kernelPackage: z.string(),
  nodeVersion: z.string(),
  program: z.string(),
  bytes: z.number(),
});

/** A built guest image. Paths are absolute. */
export interface GuestImage extends z.infer<typeof manifestSchema> {
  readonly kernelPath: string;
  readonly initramfsPath: string;
}

export interface ImageOptions {
  /** Where kernel, initramfs and manifest go. */
  readonly directory: string;
  /** The guest's program: one self-contained ES module, or a folder with a `main.mjs`. The benchmark's when absent. */
  readonly program?: string;
  readonly onStep?: (step: string) => void;
}

/** In an image's folder. */
export const imageFiles = {
  kernel: "vmlinuz",
  initramfs: "initramfs.zst",
  manifest: "manifest.json",
} as const;

const imageSources = fileURLToPath(new URL("../../image/", import.meta.url));

function sha256(...parts: (Buffer | string)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

async function unpackKernel(
  { spec, options }: DebianKernel,
  work: string,
): Promise<{ kernel: Buffer; entries: ArchiveEntry[] }> {
  await run("apt-get", ["download", "-qq", ...options, spec], { cwd: work });
  const archive = (await readdir(work)).find((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error(`apt-get download ${spec} left no package behind`);
  await run("dpkg-deb", ["-x", archive, "kernel"], { cwd: work });
  const boot = join(work, "kernel/boot");
  const image = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`${spec} contains no kernel`);
  const tree = join(work, "kernel/lib/modules", image.slice("vmlinuz-".length), "kernel");
  const entries: ArchiveEntry[] = [];
  for (const path of modules) {
    const content = await readFile(join(tree, path));
    entries.push({ kind: "file", path: `modules/${basename(path)}`, mode: 0o644, content });
  }
  const order = modules.map((path) => `/modules/${basename(path)}\n`).join("");
  entries.push({ kind: "file", path: "modules/order", mode: 0o644, content: Buffer.from(order) });
  return { kernel: await readFile(join(boot, image)), entries };
}

/** Node without its symbol table, and the shared libraries it names. */
async function nodeEntries(work: string): Promise<ArchiveEntry[]> {
  const stripped = join(work, "node");
  await run("strip", ["-o", stripped, process.execPath]);
  const entries: ArchiveEntry[] = [
    { kind: "file", path: "bin/node", mode: 0o755, content: await readFile(stripped) },
  ];
  const libraries = await run("ldd", [process.execPath]);
  for (const [, path] of libraries.matchAll(/(?:=>\s*|^\s*)(\/\S+)/gm)) {
    if (path === undefined) continue;
    entries.push({ kind: "file", path: path.slice(1), mode: 0o755, content: await readFile(path) });
  }
  return entries;
}

async function readProgram(program: string): Promise<{ name: string; content: Buffer }[]> {
  if (!(await stat(program)).isDirectory()) return [{ name: "main.mjs", content: await readFile(program) }];
  const names = (await readdir(program)).sort();
  return Promise.all(names.map(async (name) => ({ name, content: await readFile(join(program, name)) })));
}

async function compileInit(source: string, work: string): Promise<ArchiveEntry> {
  const output = join(work, "init");
  await run("cc", ["-static", "-Os", "-s", "-Wl,--build-id=none", "-o", output, source]);
  return { kind: "file", path: "init", mode: 0o755, content: await readFile(output) };
}

async function existing(directory: string, inputHash?: string): Promise<GuestImage | undefined> {
  const kernelPath = join(directory, imageFiles.kernel);
  const initramfsPath = join(directory, imageFiles.initramfs);
  const manifestPath = join(directory, imageFiles.manifest);
  if (!existsSync(kernelPath) || !existsSync(initramfsPath) || !existsSync(manifestPath)) return undefined;
  const manifest = manifestSchema.safeParse(JSON.parse(await readFile(manifestPath, "utf8")));
  if (!manifest.success || (inputHash !== undefined && manifest.data.inputHash !== inputHash))
    return undefined;
  return { ...manifest.data, kernelPath, initramfsPath };
}

/** The image in this directory, or undefined when none was built there. */
export function readGuestImage(directory: string): Promise<GuestImage | undefined> {
  return existing(directory);
}

/** The program that runs in the guest when no other is given: the benchmark's. */
const benchGuestProgram = join(imageSources, "bench-guest.mjs");

/**
 * Builds the guest image, or returns the one that is already there for the same inputs.
 * Needs apt (to download, not to install), cc with a static libc, strip and zstd.
 * @throws {CommandError} naming the program that failed.
 */
export async function buildGuestImage(options: ImageOptions): Promise<GuestImage> {
  const work = await mkdtemp(join(tmpdir(), "centroid-image-"));
  try {
    return await build(options, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function build(options: ImageOptions, work: string): Promise<GuestImage> {
  const step = options.onStep ?? (() => {});
  const { directory, program = benchGuestProgram } = options;
  const initSource = join(imageSources, "init.c");
  const debian = await findKernel(work, step);
  const programFiles = await readProgram(program);
  const inputHash = sha256(
    JSON.stringify([recipeVersion, debian.spec, compressionLevel, process.version]),
    await readFile(process.execPath),
    await readFile(initSource),
    ...programFiles.flatMap(({ name, content }) => [name, content]),
  );
  const ready = await existing(directory, inputHash);
  if (ready !== undefined) return ready;

  step(`downloading ${debian.spec}`);
  const { kernel, entries } = await unpackKernel(debian, work);
  step("compiling init");
  entries.push(await compileInit(initSource, work));
  step(`packing Node ${process.version} and ${basename(program)}`);
  entries.push(...(await nodeEntries(work)));
  for (const { name, content } of programFiles)
    entries.push({ kind: "file", path: `app/${name}`, mode: 0o644, content });
  for (const path of ["proc", "sys", "dev", "tmp"]) entries.push({ kind: "directory", path });
  entries.push({ kind: "device", path: "dev/console", major: 5, minor: 1 });
  step("compressing");
  const initramfs = await compress(entries, work);
  const manifest = {
    inputHash,
    hash: sha256(kernel, initramfs),
    kernelPackage: debian.spec,
    nodeVersion: process.version,
    program: basename(program),
    bytes: kernel.length + initramfs.length,
  };
  await keep(directory, kernel, initramfs, manifest);
  step(`done, ${Math.round(initramfs.length / 2 ** 20)} MiB initramfs`);
  const built = await existing(directory, inputHash);
  if (built === undefined) throw new Error(`the image in ${directory} changed while it was built`);
  return built;
}

async function compress(entries: readonly ArchiveEntry[], work: string): Promise<Buffer> {
  const archive = join(work, "initramfs");
  await writeFile(archive, packArchive(entries));
  const flags = ["-q", `-${compressionLevel}`, "-T1", "--no-progress"];
  await run("zstd", [...flags, archive, "-o", `${archive}.zst`]);
  return readFile(`${archive}.zst`);
}

async function keep(
  directory: string,
  kernel: Buffer,
  initramfs: Buffer,
  manifest: z.infer<typeof manifestSchema>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, imageFiles.kernel), kernel);
  await writeFile(join(directory, imageFiles.initramfs), initramfs);
  // Last, and at once: an image without its manifest does not count.
  await writeFile(join(directory, "manifest.tmp"), `${JSON.stringify(manifest, null, 2)}\n`);
  await rename(join(directory, "manifest.tmp"), join(directory, imageFiles.manifest));
}
