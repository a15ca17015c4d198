/** Starting rooms' VMs on one host: cold, or from a template saved after its boot. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connection, Domain } from "@centroid/node-libvirt";
import { z } from "zod";
import type { VmConfig } from "../base/config.js";
import type { GuestImage } from "../image/image.js";
import { rewriteSaveImage } from "../image/save-image.js";
import { ControlChannel, type GuestIdentity } from "./control-channel.js";
import { type Accelerator, controlSocketName, guestDomainXml } from "./domain-xml.js";

export interface GuestHostOptions {
  readonly connection: Connection;
  readonly image: GuestImage;
  /** Templates, console logs and control sockets, as libvirt names it: the same on every host. */
  readonly directory: string;
  /** The same directory as this process sees it. */
  readonly localDirectory: string;
  readonly accelerator: Accelerator;
  readonly bridge: string;
  readonly memoryMebibytes: number;
}

export interface Guest {
  readonly domain: Domain;
  readonly identity: GuestIdentity;
  /** What the guest's program said it listens on. */
  readonly port: number;
  readonly startedFrom: "template" | "boot";
  /** From asking for it to reachable at its own address. */
  readonly readyMs: number;
}

/** Generous for emulated guests that share a core or two with much else. */
const bootTimeoutMs = 150_000;
const identifyTimeoutMs = 15_000;
const templateName = "centroid-template";
const templateFile = `${templateName}.save`;
const templateLabel = `${templateName}.json`;
/** The template is never on a network under this address: it is stopped before it gets one. */
const templateMac = "52:54:00:77:00:00";
const templateUuid = "77000000-0000-4000-8000-000000000000";

const templateLabelSchema = z.object({ madeOf: z.string(), port: z.number() });

export class GuestHost {
  readonly #options: GuestHostOptions;
  #template: Promise<Template> | undefined;
  /** One restore at a time: they share the template's file. */
  #restoring: Promise<unknown> = Promise.resolve();

  constructor(options: GuestHostOptions) {
    this.#options = options;
  }

  /** Of a host that runs rooms. */
  static of(connection: Connection, image: GuestImage, vm: VmConfig): GuestHost {
    const { guestDirectory, localGuestDirectory, accelerator, bridge, memoryMebibytes } = vm;
    return new GuestHost({
      connection,
      image,
      directory: guestDirectory,
      localDirectory: localGuestDirectory,
      accelerator,
      bridge,
      memoryMebibytes,
    });
  }

  async #xml(name: string, uuid: string, mac: string): Promise<string> {
    const { connection, image, directory, accelerator, bridge, memoryMebibytes } = this.#options;
    const { kernelPath, initramfsPath } = image;
    return guestDomainXml({
      name,
      uuid,
      mac,
      directory,
      accelerator,
      hypervisorVersion: (await connection.getVersion()).hypervisor,
      bridge,
      memoryMebibytes,
      kernelPath,
      initramfsPath,
    });
  }

  #socketPath(name: string): string {
    return join(this.#options.localDirectory, controlSocketName(name));
  }

  /** Boots the template and saves it, once; later guests start from it. */
  prepareTemplate(): Promise<Template> {
    this.#template ??= this.#makeTemplate().catch((error: unknown) => {
      this.#template = undefined;
      throw error;
    });
    return this.#template;
  }

  async #makeTemplate(): Promise<Template> {
    const { directory, localDirectory, image } = this.#options;
    const localPath = join(localDirectory, templateFile);
    const path = join(directory, templateFile);
    const xml = await this.#xml(templateName, templateUuid, templateMac);
    const madeOf = createHash("sha256").update(image.hash).update(xml).digest("hex");
    const label = join(localDirectory, templateLabel);
    const made = templateLabelSchema.safeParse(JSON.parse(await readFile(label, "utf8").catch(() => "null")));
    if (made.success && made.data.madeOf === madeOf && existsSync(localPath))
      return { path, localPath, port: made.data.port };
    // Of a start that was broken off.
    await this.#destroy(templateUuid);
    const { domain, port } = await this.#boot(templateName, templateUuid, templateMac);
    try {
      await rm(localPath, { force: true });
      await domain.save(path, { resumeAs: "running" });
    } catch (error) {
      await domain.destroy().catch(() => {});
      throw error;
    }
    await writeFile(label, JSON.stringify({ madeOf, port }));
    return { path, localPath, port };
  }

  async #destroy(uuid: string): Promise<void> {
    const stray = await this.#options.connection.lookupByUuid(uuid).catch(() => undefined);
    await stray?.destroy();
  }

  /** Gives another host of the same kind this one's template. */
  copyTemplateTo(localDirectory: string): Promise<void> {
    return copyTemplate(this.#options.localDirectory, localDirectory);
  }

  /** Takes a template made earlier, if there is one; it is used only if it is of this host's image. */
  async takeTemplateFrom(directory: string): Promise<void> {
    if (existsSync(join(directory, templateLabel)))
      await copyTemplate(directory, this.#options.localDirectory);
  }

  async #boot(name: string, uuid: string, mac: string): Promise<{ domain: Domain; port: number }> {
    await mkdir(this.#options.localDirectory, { recursive: true });
    const domain = await this.#options.connection.create(await this.#xml(name, uuid, mac));
    try {
      using control = await ControlChannel.open(this.#socketPath(name));
      const ready = await control.expect("ready ", bootTimeoutMs);
      return { domain, port: Number(ready.slice("ready ".length)) };
    } catch (error) {
      await domain.destroy().catch(() => {});
      throw error;
    }
  }

  async #restore(name: string, uuid: string, mac: string, template: Template): Promise<Domain> {
    const { connection } = this.#options;
    const turn = this.#restoring.then(async () => {
      await rewriteSaveImage(template.localPath, await this.#xml(name, uuid, mac));
      await connection.restore(template.path, { resumeAs: "running" });
    });
    this.#restoring = turn.catch(() => {});
    await turn;
    return connection.lookupByUuid(uuid);
  }

  /**
   * Starts a VM and gives it its identity. From the template when there is one, else by booting.
   * @throws {GuestSilentError} when the guest does not come up; nothing is left behind.
   */
  async start(name: string, identity: GuestIdentity): Promise<Guest> {
    const startedAt = performance.now();
    const uuid = randomUUID();
    const template = await this.#template?.catch(() => undefined);
    if (template !== undefined && existsSync(template.localPath)) {
      try {
        const domain = await this.#restore(name, uuid, identity.mac, template);
        return await this.#introduce(domain, identity, template.port, "template", startedAt);
      } catch {
        // A template that does not restore is no use to the next room either.
        await rm(template.localPath, { force: true });
        this.#template = undefined;
        await this.#destroy(uuid);
      }
    }
    const { domain, port } = await this.#boot(name, uuid, identity.mac);
    return this.#introduce(domain, identity, port, "boot", startedAt);
  }

  /** The line to a guest that runs here. One at a time: a second one waits until the first is closed. */
  openChannel(name: string): Promise<ControlChannel> {
    return ControlChannel.open(this.#socketPath(name));
  }

  /** Sends a line to the guest's program and returns its answer, which starts with the same word. */
  async ask(name: string, line: string): Promise<string> {
    using control = await ControlChannel.open(this.#socketPath(name));
    control.send(line);
    return await control.expect(`${line.split(" ")[0]} `, identifyTimeoutMs);
  }

  async #introduce(
    domain: Domain,
    identity: GuestIdentity,
    port: number,
    startedFrom: Guest["startedFrom"],
    startedAt: number,
  ): Promise<Guest> {
    try {
      using control = await ControlChannel.open(this.#socketPath(domain.name));
      await control.identify(identity, identifyTimeoutMs);
    } catch (error) {
      await domain.destroy().catch(() => {});
      throw error;
    }
    return { domain, identity, port, startedFrom, readyMs: performance.now() - startedAt };
  }
}

interface Template {
  readonly path: string;
  readonly localPath: string;
  readonly port: number;
}

/** The label last: half a template has none. */
async function copyTemplate(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await rm(join(to, templateLabel), { force: true });
  for (const file of [templateFile, templateLabel]) await copyFile(join(from, file), join(to, file));
}
