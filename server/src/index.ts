/** Public API: start a broker in your own process. */
export * from "@centroid/broker";
