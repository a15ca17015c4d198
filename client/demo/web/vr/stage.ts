/** The place: sky, floor, light, and a table in the middle. */
import {
  BackSide,
  CircleGeometry,
  CylinderGeometry,
  DirectionalLight,
  Group,
  HemisphereLight,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  MeshStandardMaterial,
  SphereGeometry,
  TorusGeometry,
} from "three";
import { TABLE_RADIUS_M, TABLE_TOP_M } from "../../src/state/furniture.js";
import { blobShadow, floorTexture, skyTexture } from "./paint.js";

const FLOOR_RADIUS_M = 9;
const SKY_RADIUS_M = 60;
const TABLE_THICKNESS_M = 0.05;

export function stage(): Group {
  const group = new Group();
  const sky = new Mesh(
    new SphereGeometry(SKY_RADIUS_M, 24, 16),
    new MeshBasicMaterial({ map: skyTexture(), side: BackSide, fog: false }),
  );
  const floor = new Mesh(
    new CircleGeometry(FLOOR_RADIUS_M, 48),
    new MeshLambertMaterial({ map: floorTexture() }),
  );
  floor.rotation.x = -Math.PI / 2;
  const sun = new DirectionalLight("#ffd9b8", 1.9);
  sun.position.set(-4, 6, 3);
  group.add(sky, floor, new HemisphereLight("#b9ccff", "#43394f", 1.25), sun, table());
  return group;
}

function table(): Group {
  const group = new Group();
  const wood = new MeshStandardMaterial({ color: "#a8876a", roughness: 0.55 });
  const metal = new MeshStandardMaterial({ color: "#37465f", roughness: 0.5, metalness: 0.3 });
  const top = new Mesh(new CylinderGeometry(TABLE_RADIUS_M, TABLE_RADIUS_M, TABLE_THICKNESS_M, 48), wood);
  top.position.y = TABLE_TOP_M - TABLE_THICKNESS_M / 2;
  const rim = new Mesh(
    new TorusGeometry(TABLE_RADIUS_M, 0.012, 8, 64),
    new MeshBasicMaterial({ color: "#ffd166" }),
  );
  rim.rotation.x = Math.PI / 2;
  rim.position.y = top.position.y;
  const leg = new Mesh(new CylinderGeometry(0.07, 0.34, TABLE_TOP_M - TABLE_THICKNESS_M, 24), metal);
  leg.position.y = (TABLE_TOP_M - TABLE_THICKNESS_M) / 2;
  const shadow = blobShadow(2.6, 0.7);
  shadow.position.y = 0.01;
  group.add(top, rim, leg, shadow);
  return group;
}
