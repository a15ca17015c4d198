/** Finds faces in players' pictures. The work is done in a thread; what was found is in the state, for everybody. */
import { workersOf } from "@centroid/room";
import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";

const Face = schema({ x: t.number(), y: t.number(), width: t.number(), height: t.number() }, "Face");
const Camera = schema({ pictures: t.number(), faces: t.array(Face) }, "Camera");
const Scene = schema({ cameras: t.map(Camera) }, "Scene");

interface Found {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A picture of 320 x 240 has 4 to 13 KB as a JPEG. */
const MAX_BYTES = 40_000;

export default class VisionRoom extends Room {
  /** What one picture is expected to cost, until that has been measured. */
  static work = { msPerRequest: 40, perSecond: 10 };
  state = new Scene();

  onCreate() {
    const workers = workersOf<Uint8Array, Found[]>(this, new URL("../worker/detect.mjs", import.meta.url));
    workers.answer("see", {
      // Called again at the next host if the room moves before the answer: changes nothing.
      input(_client, jpeg) {
        if (!(jpeg instanceof Uint8Array)) throw new Error("send the bytes of a JPEG");
        if (jpeg.byteLength > MAX_BYTES) throw new Error(`a picture has at most ${MAX_BYTES} bytes`);
        return jpeg;
      },
      // Called once, wherever the room is by then. What it returns is the answer to room.request("see", jpeg).
      done: ({ sessionId }, found, { queueMs, workMs }) => {
        const camera = this.state.cameras.get(sessionId);
        if (camera) {
          camera.pictures += 1;
          camera.faces.clear();
          for (const face of found) camera.faces.push(new Face().assign(face));
        }
        return { found, queueMs, workMs };
      },
    });
  }

  onJoin(client: Client) {
    const camera = new Camera();
    camera.pictures = 0;
    this.state.cameras.set(client.sessionId, camera);
  }

  onLeave(client: Client) {
    this.state.cameras.delete(client.sessionId);
  }
}
