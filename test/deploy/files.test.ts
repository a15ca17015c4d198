/** Deploy files say what the programs have: flags, variables, metrics; units pass systemd's own check. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { World } from "../broker/support/world.js";
import { codeBlocks } from "../support/markdown.js";

const ROOT = join(import.meta.dirname, "../..");
const DEPLOY = join(ROOT, "infra/deploy");
const read = (path: string): string => readFileSync(join(DEPLOY, path), "utf8");

/** Validators of what the manifests are made of, from the schemas that Kubernetes publishes. */
const KUBERNETES = {
  v1: () => import("kubernetes-models/v1"),
  "apps/v1": () => import("kubernetes-models/apps/v1"),
  "policy/v1": () => import("kubernetes-models/policy/v1"),
};

function flagsOf(command: string): Set<string> {
  const help = execFileSync(process.execPath, [join(ROOT, "server/cli/dist/main.js"), command, "--help"], {
    encoding: "utf8",
  });
  return new Set(help.match(/--[a-z-]+/g) ?? []);
}
const flags = { up: flagsOf("up"), agent: flagsOf("agent"), gateway: flagsOf("gateway") };

/** @returns flags in a command line that its command does not have */
function unknownFlags(args: readonly string[]): string[] {
  const [command = "", ...rest] = args;
  const known = flags[command as keyof typeof flags];
  if (known === undefined) return [command];
  return rest.filter((arg) => arg.startsWith("--") && !known.has(arg));
}

describe("commands", () => {
  it("in compose.yaml are the program's own", () => {
    const { services } = parse(read("compose.yaml"), { merge: true }) as {
      services: Record<string, { command: string[]; environment?: Record<string, string> }>;
    };
    expect(Object.keys(services)).toEqual(["redis", "broker-1", "broker-2", "agent-1", "agent-2"]);
    for (const [name, { command }] of Object.entries(services)) {
      if (name !== "redis") expect([name, unknownFlags(command)]).toEqual([name, []]);
    }
    const ids = ["agent-1", "agent-2"].map((name) => services[name]?.environment?.CENTROID_HOST_ID);
    expect(new Set(ids).size).toBe(2);
  });

  it("in the Kubernetes manifest are the program's own, and probes are routes it has", async () => {
    const documents = parseAllDocuments(read("kubernetes/brokers.yaml")).map((document) => document.toJS());
    expect(documents.map(({ kind }) => kind)).toEqual(["Deployment", "Service", "PodDisruptionBudget"]);
    const [{ spec }] = documents;
    const [broker] = spec.template.spec.containers;
    expect(unknownFlags(broker.args)).toEqual([]);
    await using world = await World.start([]);
    for (const { httpGet } of [broker.livenessProbe, broker.readinessProbe])
      expect((await world.call("GET", httpGet.path)).status).toBe(200);
    for (const { spec: selected } of documents.slice(1))
      expect(selected.selector.matchLabels ?? selected.selector).toEqual(spec.template.metadata.labels);
  });

  it.each([
    ["gateways.yaml", "Deployment"],
    ["hosts.yaml", "StatefulSet"],
  ])("in the Kubernetes manifest %s are the program's own, and its parts name each other", (file, kind) => {
    const documents = parseAllDocuments(read(`kubernetes/${file}`)).map((document) => document.toJS());
    expect(documents.map((document) => document.kind)).toEqual([kind, "Service", "PodDisruptionBudget"]);
    const [{ spec }] = documents;
    const { containers, volumes, terminationGracePeriodSeconds } = spec.template.spec;
    const [{ args, ports, env, lifecycle, volumeMounts, livenessProbe, readinessProbe }] = containers;
    expect(unknownFlags(args)).toEqual([]);
    const given = (env as { name: string }[]).map(({ name }) => name);
    const named = args.flatMap((arg: string) => [...arg.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name));
    expect(named.filter((name: string) => !given.includes(name))).toEqual([]);
    const portNames = ports.map(({ name }: { name: string }) => name);
    for (const { tcpSocket, httpGet } of [livenessProbe, readinessProbe])
      expect(portNames).toContain((tcpSocket ?? httpGet).port);
    const volumeNames = volumes.map(({ name }: { name: string }) => name);
    for (const { name } of volumeMounts) expect(volumeNames).toContain(name);
    for (const { spec: selecting } of documents.slice(1))
      expect(selecting.selector.matchLabels ?? selecting.selector).toEqual(spec.template.metadata.labels);
    // Commands of hooks are there, and end before the pod is killed.
    const hooks = JSON.stringify(lifecycle ?? {});
    for (const [, command = ""] of hooks.matchAll(/main\.js (\w+)/g))
      expect(flagsOf(command).size).toBeGreaterThan(0);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(/sleep (\d\d+)/.exec(hooks)?.[1] ?? 0));
  });

  it.each(["brokers", "gateways", "hosts"])(
    "in kubernetes/%s.yaml fit the API's published schemas",
    async (name) => {
      for (const document of parseAllDocuments(read(`kubernetes/${name}.yaml`))) {
        const manifest = document.toJS() as { apiVersion: keyof typeof KUBERNETES; kind: string };
        const models = (await KUBERNETES[manifest.apiVersion]()) as unknown as Record<
          string,
          new (
            of: object,
          ) => { validate(): void }
        >;
        const Model = models[manifest.kind]!;
        new Model(manifest).validate();
        expect(() => new Model({ ...manifest, spec: "nothing" }).validate()).toThrow(/spec/);
      }
    },
  );

  it("in the runbook and for hosts with virtual machines are the program's own", () => {
    const linesOf = (page: string) =>
      codeBlocks(join(ROOT, "docs", page)).flatMap(({ code }) => code.trim().split("\n"));
    const lines = linesOf("runbook.md");
    for (const page of [lines, linesOf("vm.md")]) {
      const agent = page.find((line) => line.startsWith("npx centroid agent"));
      expect(agent?.split(" ").length).toBeGreaterThan(10);
      expect(unknownFlags(agent?.split(" ").slice(2) ?? [])).toEqual([]);
    }
    for (const line of lines.filter((candidate) => candidate.startsWith("infra/deploy/")))
      expect(existsSync(join(ROOT, line.split(" ")[0] ?? ""))).toBe(true);
  });
});

describe("metrics", () => {
  /** Names that a broker's /metrics has, histograms' parts included. */
  const exported = async (): Promise<Set<string>> => {
    await using world = await World.start(["a"]);
    const text = await (await world.call("GET", "/metrics")).text();
    const types = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)];
    return new Set(
      types.flatMap(([, name = "", type]) =>
        type === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => name + part) : [name],
      ),
    );
  };

  it("in alerts and on the Grafana dashboard are there", async () => {
    const names = await exported();
    const { panels } = JSON.parse(read("monitoring/grafana-dashboard.json")) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const { groups } = parse(read("monitoring/alerts.yaml")) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    const used = [...rules, ...panels.flatMap(({ targets }) => targets)].flatMap(
      ({ expr }) => expr.match(/\bcentroid_\w+/g) ?? [],
    );
    expect(used.length).toBeGreaterThan(20);
    expect(used.filter((name) => !names.has(name))).toEqual([]);
    expect(panels.length).toBe(12);
    // The runbook has a first step for each.
    const runbook = readFileSync(join(ROOT, "docs/runbook.md"), "utf8");
    for (const { alert } of rules) expect(runbook).toContain(`| ${alert} |`);
  });
});

describe("systemd units", () => {
  const UNITS = ["centroid-broker.service", "centroid-agent.service"];

  it("start the program with flags it has", () => {
    for (const unit of UNITS) {
      const line = /^ExecStart=\S+ \S+\/main\.js (.+)$/m.exec(read(`systemd/${unit}`))?.[1] ?? "";
      expect([unit, unknownFlags(line.split(" "))]).toEqual([unit, []]);
    }
  });

  it.runIf(existsSync("/usr/bin/systemd-analyze"))(
    "pass systemd-analyze, and leave little to attack",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "centroid-units-"));
      for (const unit of UNITS) {
        // Where the checkout and Node are on this machine.
        const text = read(`systemd/${unit}`)
          .replace("/usr/bin/node", process.execPath)
          .replace("/opt/centroid", ROOT);
        await writeFile(join(folder, unit), text);
        const verified = spawnSync("systemd-analyze", ["verify", "--man=no", join(folder, unit)], {
          encoding: "utf8",
        });
        const ours = verified.stderr.split("\n").filter((line) => line.includes(unit));
        expect([unit, ours]).toEqual([unit, []]);
        const security = spawnSync(
          "systemd-analyze",
          ["security", "--offline=true", "--threshold=20", join(folder, unit)],
          { encoding: "utf8" },
        );
        expect([unit, security.status, security.stdout.split("\n").at(-2)]).toEqual([
          unit,
          0,
          expect.any(String),
        ]);
      }
      await rm(folder, { recursive: true });
    },
  );
});

it("nothing in the deploy folder is left unread by these tests", async () => {
  expect((await readdir(DEPLOY)).sort()).toEqual([
    "Dockerfile",
    "Dockerfile.dockerignore",
    "compose.yaml",
    "kubernetes",
    "make-certificates.sh",
    "monitoring",
    // Its files are run by proxy.test.ts beside this one.
    "proxy",
    "systemd",
  ]);
  const dockerfile = read("Dockerfile");
  for (const [, path = ""] of dockerfile.matchAll(/"\/app\/([^"]+)"/g))
    expect(existsSync(join(ROOT, path))).toBe(true);
});
