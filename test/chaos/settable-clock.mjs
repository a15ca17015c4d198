/**
 * Loaded before a program (`node --import`): its wall clock is what the file named by CENTROID_TEST_CLOCK says,
 * `{"offsetMs": N}` off or standing still at `{"stoppedAtMs": N}`. Looked at often, as a clock is set at any moment.
 */
import { readFileSync } from "node:fs";

const LOOK_EVERY_MS = 50;
const file = process.env.CENTROID_TEST_CLOCK;
const RealDate = Date;
let setting = {};

function look() {
  try {
    setting = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // It is being written; or nobody has set this clock yet.
  }
}

const now = () => setting.stoppedAtMs ?? RealDate.now() + (setting.offsetMs ?? 0);

if (file !== undefined) {
  look();
  setInterval(look, LOOK_EVERY_MS).unref();
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(now());
      else super(...args);
    }

    static now() {
      return now();
    }
  };
}
