/** The host side in one import. New code imports the package it needs. */
export * from "@centroid/agent";
export * from "@centroid/emulation";
export type { MoveHooks, RoomMarks } from "@centroid/room";
export { bundleApp, bundleRooms, type RoomsBundle } from "@centroid/room-host/bundling";
export * from "@centroid/vm-carrier";
