/** Shows the room: people and things come, move and go as its state says. */
import type { Scene } from "aframe";
import { Person } from "./people.js";
import { Props } from "./things.js";
import type { PlazaRoom } from "./view.js";

export class PlazaScene {
  readonly people = new Map<string, Person>();
  readonly things = new Map<string, Props>();
  readonly #scene: Scene;
  readonly #room: PlazaRoom;

  constructor(scene: Scene, room: PlazaRoom) {
    this.#scene = scene;
    this.#room = room;
    room.onStateChange(() => this.#heard(performance.now()));
    room.onMessage("emote", ({ by }: { by: string }) => this.people.get(by)?.wave(performance.now()));
    this.#heard(performance.now());
  }

  tick(nowMs: number, deltaMs: number, aimed: string | undefined): void {
    for (const person of this.people.values()) person.tick(nowMs);
    for (const [id, thing] of this.things)
      thing.tick(nowMs, deltaMs, thing.heldBy === this.#room.sessionId, id === aimed);
  }

  #heard(nowMs: number): void {
    const { avatars, things } = this.#room.state ?? {};
    avatars?.forEach((avatar, id) => {
      if (id === this.#room.sessionId) return;
      let person = this.people.get(id);
      if (person === undefined) {
        person = new Person(id, avatar);
        this.people.set(id, person);
        this.#scene.append(person.entity);
      }
      person.heard(avatar, nowMs);
    });
    for (const [id, person] of this.people) {
      if (avatars?.has(id)) continue;
      person.entity.remove();
      this.people.delete(id);
    }
    things?.forEach((view, id) => {
      let thing = this.things.get(id);
      if (thing === undefined) {
        thing = new Props(id, view);
        this.things.set(id, thing);
        this.#scene.append(thing.entity);
      }
      thing.heard(view, nowMs);
    });
  }
}
