/** Textures painted on the spot: no image, no font is loaded from anywhere. */
import {
  CanvasTexture,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
  Sprite,
  SpriteMaterial,
  SRGBColorSpace,
} from "three";

function painted(width: number, height: number, paint: (c: CanvasRenderingContext2D) => void): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (context !== null) paint(context);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  return texture;
}

/** A name that always faces the viewer. */
export function nameTag(text: string, color: string): Sprite {
  const map = painted(512, 128, (c) => {
    c.font = "600 58px system-ui, sans-serif";
    const width = Math.min(500, c.measureText(text).width + 96);
    c.fillStyle = "rgba(8, 13, 24, 0.82)";
    c.beginPath();
    c.roundRect((512 - width) / 2, 14, width, 100, 50);
    c.fill();
    c.fillStyle = color;
    c.beginPath();
    c.arc((512 - width) / 2 + 40, 64, 13, 0, 2 * Math.PI);
    c.fill();
    c.fillStyle = "#fff";
    c.textBaseline = "middle";
    c.fillText(text, (512 - width) / 2 + 66, 67, 400);
  });
  const sprite = new Sprite(new SpriteMaterial({ map, depthWrite: false }));
  sprite.scale.set(0.62, 0.155, 1);
  return sprite;
}

/** A soft round shadow on the ground; real ones cost too much on a headset. */
export function blobShadow(size: number, strength = 0.55): Mesh {
  const map = painted(64, 64, (c) => {
    const soft = c.createRadialGradient(32, 32, 2, 32, 32, 31);
    soft.addColorStop(0, `rgba(0,0,0,${strength})`);
    soft.addColorStop(1, "rgba(0,0,0,0)");
    c.fillStyle = soft;
    c.fillRect(0, 0, 64, 64);
  });
  const material = new MeshBasicMaterial({ map, transparent: true, depthWrite: false });
  const mesh = new Mesh(new PlaneGeometry(size, size), material);
  mesh.rotation.x = -Math.PI / 2;
  return mesh;
}

/** Floor: a disc of light in the middle, fine rings and spokes, dark towards the edge. */
export function floorTexture(): CanvasTexture {
  return painted(1024, 1024, (c) => {
    const light = c.createRadialGradient(512, 512, 20, 512, 512, 512);
    light.addColorStop(0, "#4a5f8f");
    light.addColorStop(0.35, "#2c3b60");
    light.addColorStop(1, "#0b1220");
    c.fillStyle = light;
    c.fillRect(0, 0, 1024, 1024);
    c.strokeStyle = "rgba(150, 190, 255, 0.22)";
    c.lineWidth = 2;
    for (let r = 85; r < 512; r += 85) {
      c.beginPath();
      c.arc(512, 512, r, 0, 2 * Math.PI);
      c.stroke();
    }
    for (let i = 0; i < 24; i++) {
      const angle = (i * Math.PI) / 12;
      c.beginPath();
      c.moveTo(512 + 85 * Math.cos(angle), 512 + 85 * Math.sin(angle));
      c.lineTo(512 + 500 * Math.cos(angle), 512 + 500 * Math.sin(angle));
      c.stroke();
    }
  });
}

/** Dusk: warm at the horizon, night above, a few stars. */
export function skyTexture(): CanvasTexture {
  return painted(2048, 1024, (c) => {
    c.scale(2, 2);
    const dusk = c.createLinearGradient(0, 0, 0, 512);
    dusk.addColorStop(0, "#060a18");
    dusk.addColorStop(0.3, "#14234a");
    dusk.addColorStop(0.44, "#3f4a86");
    dusk.addColorStop(0.5, "#e79a78");
    dusk.addColorStop(0.515, "#0b1220");
    dusk.addColorStop(1, "#0b1220");
    c.fillStyle = dusk;
    c.fillRect(0, 0, 1024, 512);
    c.fillStyle = "#fff";
    for (let i = 1; i < 420; i++) {
      // Low-discrepancy points (multiples of the golden ratio and of its square) look like stars, not like a grid.
      const x = ((i * 0.618034) % 1) * 1024;
      const y = ((i * 0.381966 * 7.31) % 1) * 200;
      c.globalAlpha = 0.25 + 0.6 * ((i * 0.7548) % 1);
      c.fillRect(x, y, 0.9, 0.9);
    }
  });
}
