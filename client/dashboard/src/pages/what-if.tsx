/** "What if": where the room would go if one of its players were elsewhere, asked by dragging or by a form. */
import type { Decision, Location, Player } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { DashboardState } from "../live/world.js";
import { Action } from "../ui/action.js";
import { Section } from "./page.js";
import { DecisionView } from "./why.js";

export interface WhatIfQuestion {
  readonly roomId: string;
  readonly playerId: string;
  readonly location: Location;
  /** The place in words: "in Sydney", "where you dropped the dot". */
  readonly place: string;
}

/** The last question, with the broker's answer or why there is none. */
export type WhatIf = WhatIfQuestion & ({ readonly decision: Decision } | { readonly problem: string });

interface WhatIfFormProps {
  readonly players: readonly Player[];
  readonly world: DashboardState;
  readonly ask: (question: WhatIfQuestion) => Promise<void>;
}

/** The same question as a drag on the map, for keys and screen readers: a player, and the city of a host. */
export function WhatIfForm({ players, world, ask }: WhatIfFormProps) {
  const playerId = useSignal("");
  const hostId = useSignal("");
  const player = players.find((candidate) => candidate.playerId === playerId.value);
  const host = world.hosts.get(hostId.value);
  const hosts = [...world.hosts.values()].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <form class="what-if" aria-label="What if" onSubmit={(event) => event.preventDefault()}>
      <label>
        What if
        <select
          value={playerId.value}
          onChange={(event) => {
            playerId.value = event.currentTarget.value;
          }}
        >
          <option value="">a player …</option>
          {players.map((one) => (
            <option key={one.playerId} value={one.playerId}>
              {one.playerId}
            </option>
          ))}
        </select>
      </label>
      <label>
        were in
        <select
          value={hostId.value}
          onChange={(event) => {
            hostId.value = event.currentTarget.value;
          }}
        >
          <option value="">a city …</option>
          {hosts.map((one) => (
            <option key={one.hostId} value={one.hostId}>
              {one.name}
            </option>
          ))}
        </select>
      </label>
      <Action
        disabled={player === undefined || host === undefined}
        run={async () => {
          if (!player || !host) return;
          const location = { latitude: host.latitude, longitude: host.longitude };
          await ask({
            roomId: player.roomId,
            playerId: player.playerId,
            location,
            place: `in ${host.name}`,
          });
        }}
      >
        Ask
      </Action>
      <span class="muted hint">or drag one of the room's players on the map</span>
    </form>
  );
}

export function WhatIfAnswer({ whatIf, world }: { whatIf: WhatIf; world: DashboardState }) {
  const answer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a small screen only the verdict, so that as much as possible of the map stays in sight.
    answer.current?.querySelector(".verdict, .failed")?.scrollIntoView({ block: "nearest" });
  }, [whatIf]);
  return (
    <div ref={answer}>
      <Section title="What if">
        {"problem" in whatIf ? (
          <p class="failed" role="alert">
            {whatIf.problem}
          </p>
        ) : (
          <>
            <p class="muted" role="status">
              If {whatIf.playerId} were {whatIf.place}:
            </p>
            <DecisionView decision={whatIf.decision} world={world} />
          </>
        )}
      </Section>
    </div>
  );
}
