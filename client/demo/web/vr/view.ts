/** What the page reads of the plaza's state. Metres and unit quaternions. */
import type { CentroidRoom } from "@centroid/sdk";

export interface TransformView {
  x: number;
  y: number;
  z: number;
  qx: number;
  qy: number;
  qz: number;
  qw: number;
}
export const PARTS = ["head", "left", "right"] as const;
export type Part = (typeof PARTS)[number];
export type Hand = Exclude<Part, "head">;
export const HANDS: readonly Hand[] = ["left", "right"];

export type AvatarView = { name: string; hue: number } & Record<Part, TransformView>;
export interface ThingView {
  kind: string;
  transform: TransformView;
  heldBy: string;
  hand: string;
}
export interface PlazaView {
  avatars?: Map<string, AvatarView>;
  things?: Map<string, ThingView>;
}
export type PlazaRoom = CentroidRoom<PlazaView>;
