/** A proxy that ends TLS in front of a broker, and says nothing of it: as plain as a proxy can be. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";

/** A certificate of its own authority for loopback, in `folder`. */
export function selfSigned(folder: string, name = "localhost"): { certFile: string; keyFile: string } {
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const names = `subjectAltName=DNS:${name},IP:127.0.0.1,IP:::1`;
  const how = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-addext", names];
  execFileSync("openssl", ["req", "-x509", ...how, "-keyout", keyFile, "-out", certFile], {
    stdio: "ignore",
  });
  return { certFile, keyFile };
}

export class TlsFront implements AsyncDisposable {
  readonly #server: Server;
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.#folder = folder;
  }

  static async start(targetUrl: string): Promise<TlsFront> {
    const folder = await mkdtemp(join(tmpdir(), "centroid-tls-"));
    const { certFile, keyFile } = selfSigned(folder);
    const server = createServer({ cert: await readFile(certFile), key: await readFile(keyFile) });
    const front = new TlsFront(server, folder);
    const { hostname, port } = new URL(targetUrl);
    server.on("secureConnection", (socket) => {
      const upstream = connect(Number(port), hostname);
      for (const side of [socket, upstream]) {
        front.#sockets.add(side);
        side.on("error", () => undefined);
        side.on("close", () => {
          front.#sockets.delete(side);
          socket.destroy();
          upstream.destroy();
        });
      }
      socket.pipe(upstream).pipe(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return front;
  }

  /** `https://127.0.0.1:port` */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
    await rm(this.#folder, { recursive: true });
  }
}
