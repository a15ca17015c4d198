/** Public API: start a broker in your own process. */
export * from "@centroid/broker";
export { embeddedGateway } from "@centroid/gateway";
