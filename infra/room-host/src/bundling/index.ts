/** Turns a folder of rooms, a project or the guest program into one file that any host can load. */
export { bundleGuest } from "./bundle-guest.js";
export { bundleOnce } from "./bundle-once.js";
export { bundleApp, bundleRooms, type RoomsBundle } from "./bundle-rooms.js";
