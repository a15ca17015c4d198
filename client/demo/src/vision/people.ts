/**
 * Gives faces names: a face near where one was a moment ago has its name; another is compared by its descriptor with those
 * that were met before, or is somebody new. Descriptors are costly, so they are asked for only when a face has no name.
 */
import { Face } from "../state/vision-state.js";
import type { Seen } from "./look.js";

/** Descriptors of one person differ less than this (Euclidean). */
const SAME_PERSON = 0.5;
/** Overlap over union, of the same face in two pictures in a row. */
const SAME_FACE = 0.2;
const NAMES = ["Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gus", "Hana"];
/** More are not remembered. */
const MAX_PEOPLE = 64;

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
interface Person {
  name: string;
  descriptor: number[];
}

export class Acquaintances {
  #people: Person[] = [];

  /** True if a descriptor of the next picture's faces is wanted. */
  wonders(faces: Iterable<{ name: string }>): boolean {
    let any = false;
    for (const { name } of faces) {
      any = true;
      if (name === "") return true;
    }
    return !any;
  }

  /** The faces with names; one that nothing is known of yet has none until its descriptor is there. */
  name(seen: Seen, before: Iterable<Box & { name: string }>): Face[] {
    const left = [...before];
    const names = seen.map((box) => {
      const at = left.findIndex((face) => face.name !== "" && overlap(face, box) > SAME_FACE);
      return at < 0 ? undefined : left.splice(at, 1)[0]?.name;
    });
    return seen.map(({ descriptor, ...box }, i) => {
      names[i] ??= descriptor === undefined ? "" : this.#meet(descriptor, names);
      return new Face().assign({ ...box, name: names[i] });
    });
  }

  toJSON(): Person[] {
    return this.#people;
  }

  restore(people: Person[]): void {
    this.#people = people;
  }

  /** @param taken who is in the same picture: nobody is there twice */
  #meet(descriptor: number[], taken: readonly (string | undefined)[]): string {
    const [nearest] = this.#people
      .filter(({ name }) => !taken.includes(name))
      .map(({ name, descriptor: known }) => ({ name, distance: distanceOf(known, descriptor) }))
      .sort((a, b) => a.distance - b.distance);
    if (nearest !== undefined && nearest.distance < SAME_PERSON) return nearest.name;
    const count = this.#people.length;
    if (count >= MAX_PEOPLE) return "somebody";
    const name = NAMES[count] ?? `Person ${count + 1}`;
    this.#people.push({ name, descriptor });
    return name;
  }
}

const distanceOf = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((value, i) => value - (b[i] ?? 0)));

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (a.width * a.height + b.width * b.height - both);
}
