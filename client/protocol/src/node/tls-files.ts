/** A certificate and its key in files, read again when they change: certificates are renewed while servers run. */
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { CentroidError } from "../errors.js";

/** PEM files. */
export interface TlsFiles {
  /** The certificate, and those of intermediate authorities after it. */
  certFile: string;
  keyFile: string;
}

export interface TlsPair {
  cert: Buffer;
  key: Buffer;
}

/** Certificates are renewed weeks before they end; a few seconds are soon enough. */
const RELOAD_MS = 2_000;

/** @throws CentroidError CONFIG_INVALID if the files cannot be used */
export async function readTlsFiles({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new CentroidError("CONFIG_INVALID", `TLS: ${certFile} and ${keyFile} cannot be used: ${cause}`, {
      cause,
    });
  }
}

/**
 * @param now what was read last
 * @param onFailed told when what is there cannot be used: one of the two may be written just now
 */
export function watchTlsFiles(
  files: TlsFiles,
  now: TlsPair,
  onChanged: (pair: TlsPair) => void,
  onFailed: (cause: unknown) => void,
): Disposable {
  let pair = now;
  const timer = setInterval(() => {
    readTlsFiles(files).then((next) => {
      if (next.cert.equals(pair.cert) && next.key.equals(pair.key)) return;
      pair = next;
      onChanged(next);
    }, onFailed);
  }, RELOAD_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
