/** How things fall, bounce and come to rest: on the table or on the floor. */
import { TABLE_RADIUS_M, TABLE_TOP_M, THING_RADIUS_M } from "./furniture.js";
import type { Thing } from "./plaza-state.js";

const GRAVITY_M_S2 = 9.81;
/** Share of its speed that a thing keeps when it bounces, and when it rolls for one step. */
const BOUNCE = 0.45;
const ROLL = 0.85;
/** Slower than this it lies still, m/s. */
const STILL_M_S = 0.25;
/** Things come back from the edge of the plaza, metres from its middle. */
const EDGE_M = 6;

/** One step of a thing that nobody holds. A thing at rest is not touched, so it costs no patch. */
export function fly(thing: Thing, seconds: number): void {
  const { transform } = thing;
  let { vx, vy, vz } = thing;
  let { x, y, z } = transform;
  const overTable = Math.hypot(x, z) <= TABLE_RADIUS_M && y >= TABLE_TOP_M;
  const ground = (overTable ? TABLE_TOP_M : 0) + THING_RADIUS_M;
  if (vx === 0 && vy === 0 && vz === 0 && y - ground < 1e-3) return;
  vy -= GRAVITY_M_S2 * seconds;
  x += vx * seconds;
  y += vy * seconds;
  z += vz * seconds;
  if (y <= ground) {
    y = ground;
    vy = -vy * BOUNCE;
    vx *= ROLL;
    vz *= ROLL;
    // One step's fall would start the next bounce for ever.
    if (vy < GRAVITY_M_S2 * seconds) vy = 0;
    if (vy === 0 && Math.hypot(vx, vz) < STILL_M_S) vx = vz = 0;
  }
  const out = Math.hypot(x, z);
  if (out > EDGE_M) {
    x *= EDGE_M / out;
    z *= EDGE_M / out;
    vx *= -BOUNCE;
    vz *= -BOUNCE;
  }
  transform.assign({ x, y, z });
  thing.assign({ vx, vy, vz });
}
