/** React hooks over a room that moves. */
import { useEffect, useReducer, useState } from "react";

/** Joins when the component appears and leaves when it goes. @returns undefined until joined */
export function useRoom(client, name) {
  const [room, setRoom] = useState();
  useEffect(() => {
    let gone = false;
    const joining = client.joinOrCreate(name);
    joining.then((joined) => {
      if (!gone) setRoom(joined);
    });
    return () => {
      gone = true;
      joining.then((joined) => joined.leave());
    };
  }, [client, name]);
  return room;
}

/** The room's state, and a render after each patch: the state stays one object, so its identity says nothing. */
export function useRoomState(room) {
  const [, patched] = useReducer((patches) => patches + 1, 0);
  useEffect(() => {
    room.onStateChange(patched);
    // The first state may have come between the render and this.
    patched();
    return () => room.onStateChange.remove(patched);
  }, [room]);
  return room.state;
}

/** The name of the host where the room runs. */
export function useRoomHost(room) {
  const [host, setHost] = useState(room.host);
  useEffect(() => {
    const moved = ({ to }) => setHost(to);
    room.onMigrate(moved);
    return () => room.onMigrate.remove(moved);
  }, [room]);
  return host.name;
}
