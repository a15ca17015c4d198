/** The duel in React: who is here, and two buttons to walk with. */
import { CentroidClient } from "@centroid/sdk";
import { createRoot } from "react-dom/client";
import { useRoom, useRoomHost, useRoomState } from "./use-room.js";

const client = new CentroidClient(location.origin, { network: "me" });

function App() {
  const room = useRoom(client, "duel");
  return room === undefined ? <p>Joining …</p> : <Duel room={room} />;
}

function Duel({ room }) {
  const { players } = useRoomState(room);
  const host = useRoomHost(room);
  // The first state comes a moment after the seat.
  if (players === undefined) return <p>Joining …</p>;
  return (
    <>
      <h1>
        {players.size} here, in {host}
      </h1>
      <button type="button" onClick={() => room.send("walk", -1)}>
        ←
      </button>
      <button type="button" onClick={() => room.send("walk", 1)}>
        →
      </button>
      <ul>
        {[...players].map(([id, player]) => (
          <li key={id}>
            {id === room.sessionId ? "you" : id}: {player.x}
          </li>
        ))}
      </ul>
    </>
  );
}

createRoot(document.getElementById("app")).render(<App />);
