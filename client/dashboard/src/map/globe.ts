/** How the round earth lies on the flat map. */
import { type GeoProjection, geoNaturalEarth1 } from "d3-geo";

/** Splits the map in the Bering strait, where nobody plays. */
const ROTATION: [number, number] = [-11, 0];
/** Where people and machines are: no Antarctica, little of the Arctic. */
const SHOWN = { south: -56, north: 76 };

/** @param width, height the map's size in pixels */
export function createGlobe(width: number, height: number): GeoProjection {
  const projection = geoNaturalEarth1().rotate(ROTATION);
  const margin = 12;
  projection.fitExtent(
    [
      [margin, margin],
      [width - margin, height - margin],
    ],
    {
      type: "MultiPoint",
      coordinates: [
        [-168.9, 0],
        [-169.1, 0],
        [11, SHOWN.south],
        [11, SHOWN.north],
      ],
    },
  );
  return projection;
}
