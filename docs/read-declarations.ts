/** Reads the exports of a built `.d.ts` file, through re-exports and into our other packages. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseSync } from "oxc-parser";

export interface Entry {
  readonly name: string;
  /** Its docstring, as Markdown; empty if it has none. */
  readonly docs: string;
  /** Its declaration. */
  readonly code: string;
}

/** Where our packages keep the declarations of their main entry. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@centroid/protocol": "client/protocol/dist/index.d.ts",
  "@centroid/agent": "infra/agent/dist/index.d.ts",
  "@centroid/broker": "server/broker/dist/index.d.ts",
  "@centroid/cli/config": "server/cli/dist/config/config.d.ts",
  "@centroid/room": "client/room/dist/index.d.ts",
};

type Named = { type: string; name?: string; value?: string };
interface Statement {
  type: string;
  start: number;
  end: number;
  source?: { value: string } | null;
  declaration?: { type: string; id?: Named; declarations?: { id: Named }[] } | null;
  specifiers?: { local: Named; exported: Named }[];
}

/** @throws Error for a name that is exported and declared nowhere */
export function readEntries(file: string, root: string): Entry[] {
  return [...new DeclarationFile(file, root).exports().values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

class DeclarationFile {
  readonly #file: string;
  readonly #root: string;
  readonly #source: string;
  readonly #statements: readonly Statement[];

  constructor(file: string, root: string) {
    if (!existsSync(file)) throw new Error(`${file} is not built; run "npm run build" first`);
    this.#file = file;
    this.#root = root;
    this.#source = readFileSync(file, "utf8");
    const { program, errors } = parseSync(file, this.#source);
    if (errors[0] !== undefined) throw new Error(`${file}: ${errors[0].message}`);
    this.#statements = program.body as unknown as Statement[];
  }

  exports(): Map<string, Entry> {
    const found = new Map<string, Entry>();
    this.#statements.forEach((statement, at) => {
      const { type, source, specifiers = [] } = statement;
      if (type === "ExportAllDeclaration" && source) {
        for (const [name, entry] of this.#open(source.value).exports()) found.set(name, entry);
      } else if (type === "ExportNamedDeclaration" && source) {
        const theirs = this.#open(source.value).exports();
        for (const { local, exported } of specifiers) {
          const entry = theirs.get(nameOf(local));
          if (entry === undefined) throw new Error(`${this.#file}: no ${nameOf(local)} in ${source.value}`);
          found.set(nameOf(exported), { ...entry, name: nameOf(exported) });
        }
      } else if (type === "ExportNamedDeclaration") {
        for (const name of declared(statement)) found.set(name, this.#entry(name, at));
      }
    });
    return found;
  }

  #open(source: string): DeclarationFile {
    const known = PACKAGES[source];
    const file =
      known === undefined
        ? resolve(dirname(this.#file), source.replace(/\.js$/, ".d.ts"))
        : join(this.#root, known);
    return new DeclarationFile(file, this.#root);
  }

  #entry(name: string, at: number): Entry {
    const statement = this.#statements[at];
    if (statement === undefined) throw new Error(`${this.#file}: no statement ${at}`);
    const code = this.#source.slice(statement.start, statement.end);
    // A type inferred from a schema says nothing by itself.
    const schema = /z\.(?:infer|input|output)<typeof (\w+)>/.exec(code)?.[1];
    const from = this.#statements.find((other) => schema !== undefined && declared(other).includes(schema));
    const detail = from === undefined ? "" : `\n\n${this.#source.slice(from.start, from.end)}`;
    return { name, docs: this.#docs(at), code: code + detail };
  }

  /** The comment right before a statement; a file that declares one thing may explain it at its top. */
  #docs(at: number): string {
    const before = this.#source.slice(this.#statements[at - 1]?.end ?? 0, this.#statements[at]?.start);
    const comments = [...before.matchAll(/\/\*\*([\s\S]*?)\*\//g)];
    const last = comments.at(-1);
    if (last === undefined) return "";
    const after = before.slice(last.index + last[0].length);
    if (after.trim() !== "") return "";
    return (last[1] ?? "").replace(/^\s*\* ?/gm, "").trim();
  }
}

const nameOf = ({ name, value }: Named): string => name ?? value ?? "";

function declared({ declaration }: Statement): string[] {
  if (!declaration) return [];
  const { id, declarations = [] } = declaration;
  return id ? [nameOf(id)] : declarations.map((one) => nameOf(one.id));
}
