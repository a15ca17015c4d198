/** One room: what it is, why it is where it is, who is in it, where it has been. */
import type { Decision, Receipt, Room } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { type Control, useControl } from "../api/control.js";
import { hostName, playersOf } from "../live/derive.js";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { Action } from "../ui/action.js";
import { PingBadge, RoomStateBadge } from "../ui/badges.js";
import { formatMs, formatTime } from "../ui/format.js";
import { REACHABLE_BY_KEYS } from "../ui/reachable.js";
import { hostLink, receiptLink } from "../ui/route.js";
import { MessageTester } from "./message-tester.js";
import { Facts, Page, Section } from "./page.js";
import { StateInspector } from "./state-inspector.js";
import { useFetched } from "./use-fetched.js";
import { type WhatIf, WhatIfAnswer, WhatIfForm, type WhatIfQuestion } from "./what-if.js";
import { Why } from "./why.js";

interface RoomPageProps {
  readonly roomId: string;
  /** The answer to the last question about this room. */
  readonly whatIf: WhatIf | undefined;
  readonly ask: ((question: WhatIfQuestion) => Promise<void>) | undefined;
}

export function RoomPage({ roomId, whatIf, ask }: RoomPageProps) {
  const world = useStore().world.value;
  const control = useControl();
  const decisions = useDecisions(roomId, world, control);
  const receipts = useReceipts(roomId, world, control);
  const room = world.rooms.get(roomId);
  if (!room) {
    return (
      <Page kind="Room" title={roomId} id={roomId}>
        <p class="muted">This room is not running at the time shown.</p>
        {receipts.length > 0 && <Moves receipts={receipts} world={world} />}
      </Page>
    );
  }
  return (
    <Page kind={`Room of type ${room.name}`} title={roomId} id={roomId}>
      <Facts
        facts={[
          ["Host", <a href={hostLink(room.hostId)}>{hostName(world, room.hostId)}</a>],
          ["State", <RoomStateBadge state={room.state} locked={room.locked} />],
          ["Ping", <PingBadge ms={room.meanRttMs} />],
          ["Players", room.maxPlayers === undefined ? room.players : `${room.players} / ${room.maxPlayers}`],
          ["Moves", room.migrations],
          ["Carrier", room.carrier],
        ]}
      />
      {control && (
        <div class="orders">
          <MoveRoom room={room} world={world} control={control} />
          <Action run={() => control.setLocked(roomId, !room.locked)}>
            {room.locked ? "Unlock" : "Lock"}
          </Action>
        </div>
      )}
      {ask && <WhatIfForm players={playersOf(world, roomId)} world={world} ask={ask} />}
      {whatIf && <WhatIfAnswer whatIf={whatIf} world={world} />}
      <Section title="Why here?">
        <Why decisions={decisions} world={world} />
      </Section>
      <Section title="Moves">
        <Moves receipts={receipts} world={world} />
      </Section>
      <Section title="Players">
        <Players room={room} world={world} control={control} />
      </Section>
      {control && (
        <Section title="State">
          <StateInspector roomId={roomId} control={control} />
        </Section>
      )}
      {control && (
        <Section title="Test message">
          <MessageTester room={room} players={playersOf(world, roomId)} control={control} />
        </Section>
      )}
    </Page>
  );
}

function MoveRoom({ room, world, control }: { room: Room; world: DashboardState; control: Control }) {
  const target = useSignal("");
  const others = [...world.hosts.values()]
    .filter((host) => host.state === "active" && host.hostId !== room.hostId)
    .sort((a, b) => a.name.localeCompare(b.name));
  return (
    <form class="move" onSubmit={(event) => event.preventDefault()}>
      <select
        aria-label="Move to"
        value={target.value}
        onChange={(event) => {
          target.value = event.currentTarget.value;
        }}
      >
        <option value="">Move to …</option>
        {others.map((host) => (
          <option key={host.hostId} value={host.hostId}>
            {host.name}
          </option>
        ))}
      </select>
      <Action
        primary
        disabled={target.value === "" || room.state !== "running"}
        run={async () => {
          await control.move(room.roomId, target.value);
          target.value = "";
        }}
      >
        Move
      </Action>
    </form>
  );
}

function Players({
  room,
  world,
  control,
}: {
  room: Room;
  world: DashboardState;
  control: Control | undefined;
}) {
  const players = useMemo(
    () => playersOf(world, room.roomId).sort((a, b) => (b.latency?.p50Ms ?? -1) - (a.latency?.p50Ms ?? -1)),
    [world.players, room.roomId],
  );
  if (players.length === 0) return <p class="muted">Nobody is in.</p>;
  return (
    <div class="table-wide tall" {...REACHABLE_BY_KEYS}>
      <table aria-label="Players">
        <thead>
          <tr>
            <th scope="col">Player</th>
            <th scope="col">Place</th>
            <th scope="col" class="numeric">
              Ping
            </th>
            <th scope="col" class="numeric">
              p95
            </th>
            <th scope="col" class="numeric">
              Jitter
            </th>
            <th scope="col">
              <span class="hidden-text">Orders</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {players.map((player) => (
            <tr key={player.sessionId}>
              <th scope="row">{player.playerId}</th>
              <td>{player.network ?? "–"}</td>
              <td class="numeric">
                <PingBadge ms={player.latency?.p50Ms} />
              </td>
              <td class="numeric">{formatMs(player.latency?.p95Ms)}</td>
              <td class="numeric">{formatMs(player.latency?.jitterMs)}</td>
              <td class="numeric">
                {control && (
                  <Action
                    label={`Kick ${player.playerId}`}
                    run={() => control.kick(room.roomId, player.sessionId)}
                  >
                    Kick
                  </Action>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Moves({ receipts, world }: { receipts: readonly Receipt[]; world: DashboardState }) {
  if (receipts.length === 0) return <p class="muted">It has not moved.</p>;
  return (
    <ol class="moves">
      {receipts.slice(0, 30).map((receipt) => (
        <li key={receipt.migrationId}>
          <a href={receiptLink(receipt.migrationId)}>{formatTime(receipt.startedAtMs)}</a>
          <span>
            {hostName(world, receipt.fromHostId)} <span class="way-arrow">→</span>{" "}
            {hostName(world, receipt.toHostId)}
          </span>
          <span class={receipt.outcome === "completed" ? "muted" : "failed"}>
            {receipt.outcome === "completed"
              ? `freeze ${formatMs((receipt.freezeBeyondTickMs ?? receipt.freezeMs)?.max)}`
              : receipt.outcome.replace("-", " ")}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** Those heard on the stream and, once, those from before the page was opened; newest first, none from the future. */
function useDecisions(
  roomId: string,
  world: DashboardState,
  control: Control | undefined,
): readonly Decision[] {
  const earlier = useFetched(roomId, control && (() => control.decisions(roomId))).value;
  const heard = world.decisions.get(roomId);
  return useMemo(() => {
    const all = new Map<string, Decision>();
    // The stream first: of two in the same millisecond the one heard later is newer, and the sort keeps their order.
    for (const decision of heard ?? []) all.set(decision.decisionId, decision);
    if (earlier.kind === "loaded") {
      for (const decision of earlier.value) {
        if (!all.has(decision.decisionId)) all.set(decision.decisionId, decision);
      }
    }
    return [...all.values()].filter(({ atMs }) => atMs <= world.atMs).sort((a, b) => b.atMs - a.atMs);
  }, [earlier, heard, world.atMs]);
}

function useReceipts(
  roomId: string,
  world: DashboardState,
  control: Control | undefined,
): readonly Receipt[] {
  const earlier = useFetched(roomId, control && (() => control.receipts(roomId))).value;
  const all = new Map<string, Receipt>();
  if (earlier.kind === "loaded") for (const receipt of earlier.value) all.set(receipt.migrationId, receipt);
  for (const receipt of world.receipts) if (receipt.roomId === roomId) all.set(receipt.migrationId, receipt);
  return [...all.values()]
    .filter((receipt) => receipt.startedAtMs <= world.atMs)
    .sort((a, b) => b.startedAtMs - a.startedAtMs);
}
