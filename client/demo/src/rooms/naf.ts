/** Relay of networked-aframe scenes. */
export { default } from "@centroid/naf-adapter/room";
