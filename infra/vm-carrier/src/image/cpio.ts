/** A reproducible `newc` archive, the format of an initramfs: sorted names, no times, owner root. */

export type ArchiveEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly kind: "device"; readonly path: string; readonly major: number; readonly minor: number };

const fileType = { directory: 0o040000, file: 0o100000, device: 0o020000 } as const;

function header(index: number, mode: number, size: number, name: string, device = [0, 0]): Buffer {
  const fields = [index, mode, 0, 0, 1, 0, size, 0, 0, ...device, name.length + 1, 0];
  const hex = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.from(`070701${hex}${name}\0`, "latin1");
}

function padded(chunk: Buffer): Buffer[] {
  const rest = chunk.length % 4;
  return rest === 0 ? [chunk] : [chunk, Buffer.alloc(4 - rest)];
}

function packEntry(entry: ArchiveEntry, index: number): Buffer[] {
  switch (entry.kind) {
    case "directory":
      return padded(header(index, fileType.directory | 0o755, 0, entry.path));
    case "device":
      return padded(header(index, fileType.device | 0o600, 0, entry.path, [entry.major, entry.minor]));
    case "file": {
      const head = header(index, fileType.file | entry.mode, entry.content.length, entry.path);
      return [...padded(head), ...padded(entry.content)];
    }
  }
}

/** Every parent directory is added. Later entries of the same path win. */
export function packArchive(entries: readonly ArchiveEntry[]): Buffer {
  const byPath = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    const parts = entry.path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join("/");
      byPath.set(path, { kind: "directory", path });
    }
    byPath.set(entry.path, entry);
  }
  const sorted = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const chunks = sorted.flatMap(packEntry);
  chunks.push(...padded(header(0, 0, 0, "TRAILER!!!")));
  return Buffer.concat(chunks);
}
