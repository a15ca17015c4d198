/** What builds bundles is a process of its own; a program that has built what it needs can do without it. */
import { stop } from "esbuild";

/** Ends esbuild's process; the next bundle starts another. None may be under way in this program. */
export const endBundler = (): Promise<void> => stop();
