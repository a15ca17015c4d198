/** The page's typeface, inside the script itself: nothing is fetched, not even by an exported recording. */
import latin from "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?inline";

/** @returns when text, and the canvas too, can be set in it */
export async function loadTypeface(): Promise<void> {
  const face = new FontFace("Inter", `url(${latin})`, { weight: "100 900" });
  document.fonts.add(await face.load());
}
