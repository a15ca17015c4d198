/** The clip where there is no camera: people drawn by the page, who walk about, turn a little and blink. */

interface Look {
  skin: string;
  shade: string;
  light: string;
  hair: string;
  shirt: string;
  iris: string;
  longHair: boolean;
  beard: boolean;
}

const PEOPLE: readonly Look[] = [
  {
    skin: "#d9a07c",
    shade: "#a86f50",
    light: "#f0c6a6",
    hair: "#2e1d14",
    shirt: "#355c7d",
    iris: "#4a2f1c",
    longHair: true,
    beard: false,
  },
  {
    skin: "#8d5a3b",
    shade: "#5e3822",
    light: "#b57c57",
    hair: "#120d0b",
    shirt: "#b5654a",
    iris: "#1e120a",
    longHair: false,
    beard: true,
  },
];
/** Radius of a head, as a share of the picture's height. */
const HEAD = 0.2;
const BLINK_EVERY_MS = 3_100;
const BLINK_MS = 130;

/** Draws the clip as it is at a time. */
export function drawClip(paint: CanvasRenderingContext2D, width: number, height: number, atMs: number): void {
  const wall = paint.createLinearGradient(0, 0, width, height);
  wall.addColorStop(0, "#b9c4cf");
  wall.addColorStop(1, "#7f8c99");
  paint.fillStyle = wall;
  paint.fillRect(0, 0, width, height);
  PEOPLE.forEach((look, i) => {
    const t = atMs / 1000 + i * 9;
    const x = width * ((i + 0.5) / PEOPLE.length + 0.09 * Math.sin(t * 0.55));
    const y = height * (0.46 + 0.03 * Math.sin(t * 0.9));
    const r = height * HEAD * (1 + 0.07 * Math.sin(t * 0.35));
    paint.save();
    paint.translate(x, y);
    paint.rotate(0.06 * Math.sin(t * 0.7));
    paint.scale(r, r);
    person(paint, look, 0.1 * Math.sin(t * 0.8), (atMs + i * 700) % BLINK_EVERY_MS < BLINK_MS, t);
    paint.restore();
  });
}

/** In units of half a head's width. @param turn how far the face is turned, -1 to 1 */
function person(paint: CanvasRenderingContext2D, look: Look, turn: number, blinks: boolean, t: number): void {
  const { skin, shade, light, hair, shirt } = look;
  if (look.longHair) oval(paint, hair, 0, 0.15, 1.12, 1.5);
  paint.fillStyle = shirt;
  paint.beginPath();
  paint.ellipse(0, 2.55, 1.75, 1.15, 0, Math.PI, 0);
  paint.rect(-1.75, 2.54, 3.5, 2);
  paint.fill();
  rounded(paint, shade, -0.38, 0.8, 0.76, 0.85, 0.2);
  oval(paint, hair, 0, -0.25, 1.02, 1.12);
  const face = paint.createRadialGradient(-0.25 + turn, -0.2, 0.2, 0, 0.05, 1.3);
  face.addColorStop(0, light);
  face.addColorStop(0.55, skin);
  face.addColorStop(1, shade);
  oval(paint, skin, -0.9, 0.12, 0.14, 0.24);
  oval(paint, skin, 0.9, 0.12, 0.14, 0.24);
  oval(paint, face, 0, 0.1, 0.88, 1.15);
  // The hair line.
  paint.fillStyle = hair;
  paint.beginPath();
  paint.ellipse(0, -0.55, 0.95, 0.62, 0, Math.PI * 1.02, Math.PI * 1.98);
  paint.quadraticCurveTo(0.2, -0.72, -0.95, -0.55);
  paint.fill();
  if (look.beard) {
    paint.globalAlpha = 0.85;
    paint.fillStyle = hair;
    paint.beginPath();
    paint.ellipse(0, 0.42, 0.85, 0.86, 0, 0.12 * Math.PI, 0.88 * Math.PI);
    paint.fill();
    paint.globalAlpha = 1;
  }
  for (const side of [-1, 1]) {
    const x = side * 0.37 + turn * 0.6;
    paint.globalAlpha = 0.35;
    oval(paint, shade, x, -0.1, 0.27, 0.18);
    paint.globalAlpha = 1;
    if (blinks)
      stroke(paint, shade, 0.05, [
        [x - 0.2, -0.06],
        [x, -0.02],
        [x + 0.2, -0.06],
      ]);
    else {
      oval(paint, "#f4f1ec", x, -0.08, 0.2, 0.105);
      oval(paint, look.iris, x + turn * 0.3, -0.08, 0.095, 0.1);
      oval(paint, "#000", x + turn * 0.3, -0.08, 0.05, 0.055);
      oval(paint, "#fff", x + turn * 0.3 - 0.03, -0.11, 0.022, 0.022);
      stroke(paint, "#2a1a12", 0.05, [
        [x - 0.22, -0.1],
        [x, -0.23],
        [x + 0.22, -0.1],
      ]);
    }
    stroke(paint, hair, 0.09, [
      [x - 0.27, -0.33],
      [x, -0.43],
      [x + 0.27, -0.34],
    ]);
  }
  const nose = turn * 0.9;
  paint.globalAlpha = 0.55;
  stroke(paint, shade, 0.07, [
    [nose - 0.09, -0.1],
    [nose - 0.14, 0.18],
    [nose - 0.17, 0.34],
  ]);
  oval(paint, shade, nose - 0.1, 0.4, 0.065, 0.04);
  oval(paint, shade, nose + 0.1, 0.4, 0.065, 0.04);
  paint.globalAlpha = 0.5;
  oval(paint, light, nose, 0.27, 0.08, 0.12);
  paint.globalAlpha = 1;
  const smile = 0.05 + 0.04 * Math.sin(t * 1.3);
  const mouth = turn * 0.6;
  stroke(paint, "#7c2f2f", 0.1, [
    [mouth - 0.3, 0.68],
    [mouth, 0.72 + smile],
    [mouth + 0.3, 0.68],
  ]);
  stroke(paint, "#c46a62", 0.07, [
    [mouth - 0.22, 0.75],
    [mouth, 0.83 + smile],
    [mouth + 0.22, 0.75],
  ]);
}

function oval(
  paint: CanvasRenderingContext2D,
  fill: string | CanvasGradient,
  x: number,
  y: number,
  rx: number,
  ry: number,
): void {
  paint.fillStyle = fill;
  paint.beginPath();
  paint.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
  paint.fill();
}

function rounded(
  paint: CanvasRenderingContext2D,
  fill: string,
  x: number,
  y: number,
  width: number,
  height: number,
  radius: number,
): void {
  paint.fillStyle = fill;
  paint.beginPath();
  paint.roundRect(x, y, width, height, radius);
  paint.fill();
}

/** A curve from the first point to the last, towards the middle one. */
function stroke(
  paint: CanvasRenderingContext2D,
  color: string,
  thickness: number,
  points: [number, number][],
): void {
  const [[x0, y0] = [0, 0], [x1, y1] = [0, 0], [x2, y2] = [0, 0]] = points;
  paint.strokeStyle = color;
  paint.lineWidth = thickness;
  paint.lineCap = "round";
  paint.beginPath();
  paint.moveTo(x0, y0);
  paint.quadraticCurveTo(x1, y1, x2, y2);
  paint.stroke();
}
