/** What a page pays for the SDK: a bundle as any game would make it, minified and gzipped. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** Colyseus' own SDK alone is 70 KB. */
const MAX_GZIPPED_BYTES = 80 * 1024;

it("is at most 80 KB, and carries neither the whole of zod nor anything of the agents' protocol", async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: 'export * from "@centroid/sdk";', resolveDir: ROOT },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
  });
  const bytes = outputFiles[0]?.contents ?? new Uint8Array();
  const gzipped = gzipSync(bytes).length;
  console.log(
    `SDK: ${(bytes.length / 1024).toFixed(0)} KB minified, ${(gzipped / 1024).toFixed(0)} KB gzipped`,
  );
  expect(gzipped).toBeLessThan(MAX_GZIPPED_BYTES);
  const inside = Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {})
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([file]) => file);
  expect(
    inside.filter((file) => /zod\/v4\/(classic|locales)|protocol\/dist\/(agent|model)/.test(file)),
  ).toEqual([]);
});
