/** Turns a folder of rooms, or the guest program, into one file that any host can load. */
export { bundleGuest } from "./bundle-guest.js";
export { bundleRooms, type RoomsBundle } from "./bundle-rooms.js";
