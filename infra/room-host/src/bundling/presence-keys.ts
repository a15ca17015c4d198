/** Finds code that keeps something in `this.presence`: it would throw when a player comes to it, so it is refused before. */
import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";
import { REFUSED_PRESENCE } from "../colyseus/room-presence.js";

const CALL = new RegExp(`\\bthis\\.presence\\.(${REFUSED_PRESENCE.join("|")})\\s*\\(`, "g");
const COMMENT = /^\s*(?:\/\/|\/?\*)/;

export function presenceKeys(): Plugin {
  return {
    name: "presence-keys",
    setup({ onLoad }) {
      onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
        if (/[\\/]node_modules[\\/]/.test(path)) return undefined;
        const lines = (await readFile(path, "utf8")).split("\n");
        const calls = lines.flatMap((text, at) =>
          COMMENT.test(text) ? [] : [...text.matchAll(CALL)].map(([, name]) => ({ name, line: at + 1 })),
        );
        const [first] = calls;
        if (first === undefined) return undefined;
        const listed = calls.map(({ name, line }) => `presence.${name}() in line ${line}`).join(", ");
        const text = `${listed}: keys of presence are not shared between hosts; keep them in the room's state, in a database, or publish them`;
        return { errors: [{ text, location: { file: path, line: first.line } }] };
      });
    },
  };
}
