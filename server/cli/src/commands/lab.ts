/** `centroid lab`: a test network of namespaces on one box, with a libvirt per edge host. Needs root. */
import type { Lab, LabLink, LinkProperties } from "@centroid/emulation";
import { type Command, Option } from "commander";
import { color, fail, ms, print, printJson, table } from "../terminal/output.js";

interface LabFlags {
  name: string;
  json?: boolean;
}

interface UpFlags extends LabFlags {
  hosts: number;
  file?: string;
}

interface LinkFlags extends LabFlags {
  rtt?: number;
  jitter?: number;
  loss?: number;
  bandwidth?: number;
  up?: boolean;
  down?: boolean;
}

/** Loaded when a lab is asked for: other commands need none of it. */
const emulation = () => import("@centroid/emulation");

async function act(json: boolean | undefined, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    fail(cause, json === true);
  }
}

function linkRow(link: LabLink): string[] {
  return [
    `${link.a} - ${link.b}`,
    link.up ? ms(link.rttMs) : color.red("down"),
    ms(link.jitterMs),
    `${link.loss * 100} %`,
    link.megabitsPerS === undefined ? "unlimited" : `${link.megabitsPerS} Mbit/s`,
  ];
}

async function show(lab: Lab, json: boolean | undefined): Promise<void> {
  const hosts = await Promise.all(
    lab.hosts.map(async (host) => ({ ...host, libvirtdPid: await lab.hypervisorPid(host.name) })),
  );
  const traffic = await lab.traffic().catch(() => undefined);
  if (json === true) {
    const backbone = traffic === undefined ? "down" : "up";
    printJson({
      name: lab.name,
      backbone,
      hosts,
      sites: lab.sites,
      links: lab.links,
      traffic: traffic ?? [],
    });
    return;
  }
  if (traffic === undefined) print(color.red("the backbone is down: centroid lab down, then up again"));
  const rows = hosts.map((host) => [
    host.name,
    host.address,
    host.namespace,
    host.libvirtdPid === undefined ? color.red("down") : color.green("up"),
    host.uri,
  ]);
  print(table(["HOST", "ADDRESS", "NAMESPACE", "LIBVIRT", "URI"], rows));
  print(
    table(
      ["SITE", "ADDRESS", "NAMESPACE"],
      lab.sites.map((it) => [it.name, it.address, it.namespace]),
    ),
  );
  print(table(["LINK", "RTT", "JITTER", "LOSS", "BANDWIDTH"], lab.links.map(linkRow)));
}

export function registerLab(program: Command): void {
  const lab = program
    .command("lab")
    .description("run a test network of namespaces on this machine (needs root)");
  const named = (command: Command) =>
    command.option("--name <name>", "name of the lab", "lab").option("--json", "machine-readable output");

  named(lab.command("up").description("start the lab"))
    .option("--hosts <number>", "number of edge hosts, each in a city with a player site", Number, 3)
    .option("--file <file>", "JSON file with hosts, sites and links (instead of --hosts)")
    .action((flags: UpFlags) =>
      act(flags.json, async () => {
        const { defaultTopology, Lab, readTopology } = await emulation();
        const topology =
          flags.file === undefined ? defaultTopology(flags.hosts) : await readTopology(flags.file);
        const up = await Lab.up(topology, {
          name: flags.name,
          onStep: (step) => {
            if (flags.json !== true) print(color.dim(step));
          },
        });
        await show(up, flags.json);
      }),
    );

  named(lab.command("status").description("show hosts, sites and links")).action((flags: LabFlags) =>
    act(flags.json, async () => show(await (await emulation()).Lab.open(flags.name), flags.json)),
  );

  named(lab.command("link").description("change a link of a running lab").argument("<a>").argument("<b>"))
    .option("--rtt <ms>", "round-trip time", Number)
    .option("--jitter <ms>", "jitter of the one-way delay", Number)
    .option("--loss <share>", "share of packets lost per direction, 0 to 1", Number)
    .option("--bandwidth <Mbit/s>", "bandwidth per direction", Number)
    .option("--up", "restore the link")
    .addOption(new Option("--down", "cut the link").conflicts("up"))
    .action((a: string, b: string, flags: LinkFlags) =>
      act(flags.json, async () => {
        const change: Partial<LinkProperties> = {
          ...(flags.rtt === undefined ? {} : { rttMs: flags.rtt }),
          ...(flags.jitter === undefined ? {} : { jitterMs: flags.jitter }),
          ...(flags.loss === undefined ? {} : { loss: flags.loss }),
          ...(flags.bandwidth === undefined ? {} : { megabitsPerS: flags.bandwidth }),
          ...(flags.up === true ? { up: true } : {}),
          ...(flags.down === true ? { up: false } : {}),
        };
        const { Lab } = await emulation();
        const link = await (await Lab.open(flags.name)).setLink(a, b, change);
        if (flags.json === true) printJson(link);
        else print(table(["LINK", "RTT", "JITTER", "LOSS", "BANDWIDTH"], [linkRow(link)]));
      }),
    );

  named(lab.command("down").description("stop the lab and remove everything, also after a crash")).action(
    (flags: LabFlags) =>
      act(flags.json, async () => {
        const { Lab } = await emulation();
        const present = await Lab.down(flags.name);
        if (flags.json === true) printJson({ name: flags.name, up: false });
        else print(present ? `lab ${flags.name} is down` : `there was no lab ${flags.name}`);
      }),
  );
}
