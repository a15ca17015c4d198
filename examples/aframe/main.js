/** The duel in A-Frame: a component on the scene, one sphere per player. */
import "aframe";
import "@centroid/sdk/hud";
import { CentroidClient } from "@centroid/sdk";
import { Callbacks } from "@colyseus/sdk";

const WALK = { ArrowLeft: -1, ArrowRight: 1 };
const UNITS_PER_STEP = 0.25;

AFRAME.registerComponent("duel", {
  async init() {
    this.bodies = new Map();
    const client = new CentroidClient(location.origin, { network: "me" });
    const room = await client.joinOrCreate("duel");
    this.room = room;
    document.querySelector("centroid-hud").room = room;
    const callbacks = Callbacks.get(room);
    callbacks.onAdd("players", (_player, id) => {
      const body = document.createElement("a-sphere");
      body.setAttribute("radius", 0.4);
      body.setAttribute("color", id === room.sessionId ? "#e9a8ff" : "#4cc3e8");
      body.setAttribute("position", { x: 0, y: 0.4, z: -this.bodies.size });
      this.bodies.set(id, body);
      this.el.append(body);
      document.title = `Duel: ${this.bodies.size} here`;
    });
    callbacks.onRemove("players", (_player, id) => {
      this.bodies.get(id)?.remove();
      this.bodies.delete(id);
      document.title = `Duel: ${this.bodies.size} here`;
    });
    room.onMigrate(({ to }) => this.el.emit("room-moved", { host: to.name }));
    addEventListener("keydown", ({ key }) => {
      if (key in WALK) room.send("walk", WALK[key]);
    });
  },

  tick() {
    for (const [id, body] of this.bodies) {
      const player = this.room.state.players.get(id);
      if (player !== undefined) body.object3D.position.x = player.x * UNITS_PER_STEP;
    }
  },

  remove() {
    void this.room?.leave();
  },
});
