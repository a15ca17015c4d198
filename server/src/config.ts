/** `defineConfig` for centroid.config.ts. */
export * from "@centroid/cli/config";
