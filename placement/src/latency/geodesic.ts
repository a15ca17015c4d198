/** The lower bound that geography sets on latency. Never a stand-in for a measurement. */
import { getDistance } from "geolib";

export interface Place {
  latitude: number;
  longitude: number;
}

/**
 * Light in fibre covers about 200 km/ms (refractive index 1.47), so 100 km cost at least 1 ms of round trip.
 */
const RTT_MS_PER_METRE = 1 / 100_000;
/** As geolib has it. */
const EARTH_RADIUS_METRES = 6_378_137;
const DIAMETER_RTT_MS = 2 * EARTH_RADIUS_METRES * RTT_MS_PER_METRE;

/** Least possible RTT between two places, ms. */
export function geodesicRttMs(a: Place, b: Place): number {
  return getDistance(a, b) * RTT_MS_PER_METRE;
}

/** Where a place is on the unit sphere, for bounds of many pairs. */
export function onSphere({ latitude, longitude }: Place): [number, number, number] {
  const phi = (latitude * Math.PI) / 180;
  const lambda = (longitude * Math.PI) / 180;
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

/** The same bound from the squared chord between two points of the unit sphere. */
export function chordRttMs(squaredChord: number): number {
  return DIAMETER_RTT_MS * Math.asin(Math.min(1, Math.sqrt(squaredChord) / 2));
}
