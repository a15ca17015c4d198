/** The part of A-Frame 1.8 that this page uses. */
declare module "aframe" {
  import type { Object3D, PerspectiveCamera, WebGLRenderer } from "three";

  export interface Entity extends HTMLElement {
    object3D: Object3D;
    components?: { "look-controls"?: { pitchObject: Object3D } };
    setObject3D(name: string, object: Object3D): void;
  }
  export interface Scene extends Entity {
    renderer: WebGLRenderer;
    camera: PerspectiveCamera | undefined;
    canvas: HTMLCanvasElement;
    frame: XRFrame | undefined;
    hasLoaded: boolean;
    is(state: string): boolean;
    enterVR(): Promise<void>;
  }
  const AFRAME: {
    registerComponent(name: string, definition: { tick?: (timeMs: number, deltaMs: number) => void }): void;
  };
  export default AFRAME;
}
