/** The flat world: one fixed projection per size; zooming is a plain scale and shift on top of it. */
import type { Location } from "@centroid/protocol";
import { type GeoPath, geoGraticule10, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import landTopology from "world-atlas/land-50m.json";
import { createGlobe } from "./globe.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Projection {
  readonly width: number;
  readonly height: number;
  /** Unzoomed pixels. */
  point(location: Location): Point;
  /** The nearest place on earth to unzoomed pixels; undefined outside the globe. */
  location(point: Point): Location | undefined;
  readonly land: Path2D;
  readonly graticule: Path2D;
  readonly sphere: Path2D;
  /** The shortest way over the globe as an SVG path; in two parts when it crosses the map's edge. */
  greatCircle(from: Location, to: Location): string;
}

export function createProjection(width: number, height: number): Projection {
  const projection = createGlobe(width, height);
  const path: GeoPath = geoPath(projection);
  const draw = (object: Parameters<GeoPath>[0]) => new Path2D(path(object) ?? "");
  return {
    width,
    height,
    point: ({ latitude, longitude }) => {
      const [x, y] = projection([longitude, latitude]) ?? [0, 0];
      return { x, y };
    },
    location: ({ x, y }) => {
      const [longitude, latitude] = projection.invert?.([x, y]) ?? [];
      if (longitude === undefined || latitude === undefined || Math.abs(latitude) > 90) return undefined;
      return { latitude, longitude: ((longitude + 540) % 360) - 180 };
    },
    land: draw(landShape()),
    graticule: draw(geoGraticule10()),
    sphere: draw({ type: "Sphere" }),
    greatCircle: (from, to) =>
      path({
        type: "LineString",
        coordinates: [
          [from.longitude, from.latitude],
          [to.longitude, to.latitude],
        ],
      }) ?? "",
  };
}

function landShape() {
  const topology = landTopology as unknown as Parameters<typeof feature>[0];
  const { land } = topology.objects;
  if (!land) throw new Error("world-atlas has no land in it: reinstall the dashboard's packages");
  return feature(topology, land);
}
