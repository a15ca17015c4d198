/**
 * The header of a file written by virDomainSave, as far as needed to restore one file as many domains.
 * libvirt itself refuses to restore under another UUID or MAC, since a guest does not expect it; ours is told.
 *
 * Layout (qemu_saveimage.h): magic[16] version data_len was_running compressed cookie_offset unused[14],
 * all u32 of the host's byte order, then data_len bytes of XML, NUL padding and cookie, then QEMU's stream.
 */
import { type FileHandle, open } from "node:fs/promises";

const magic = "LibvirtQemudSave";
const headerBytes = 92;
const offsets = { version: 16, dataLength: 20, wasRunning: 24, cookie: 32 } as const;
const supportedVersion = 2;

class SaveImageError extends Error {
  override readonly name = "SaveImageError";
  readonly code = "SAVE_IMAGE_INVALID";
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new SaveImageError("the save image is cut short");
  return buffer;
}

/** Puts other domain XML into a saved domain's file, in place. @throws {SaveImageError} */
export async function rewriteSaveImage(path: string, xml: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const header = await readAt(file, 0, headerBytes);
    if (header.toString("latin1", 0, magic.length) !== magic) {
      throw new SaveImageError(`${path} is not a domain saved by libvirt`);
    }
    if (header.readUInt32LE(offsets.version) !== supportedVersion) {
      throw new SaveImageError(`${path} has a save format other than ${supportedVersion}`);
    }
    const dataLength = header.readUInt32LE(offsets.dataLength);
    const cookie = header.readUInt32LE(offsets.cookie);
    const room = cookie === 0 ? dataLength : cookie;
    const text = Buffer.from(xml);
    if (text.length + 1 > room)
      throw new SaveImageError(`the XML does not fit: ${text.length} of ${room} bytes`);
    const padded = Buffer.alloc(room);
    text.copy(padded);
    await file.write(padded, 0, room, headerBytes);
  } finally {
    await file.close();
  }
}
