/** A room's stage on its host changes by what happens to its move, and by nothing that is about an earlier move. */
import { expect, it } from "vitest";
import { type HostedStage, nextHostedStage } from "../../infra/room-host/dist/rooms/hosted-stage.js";

// Only identity counts here.
const thing = <T>(name: string): T => ({ name }) as T;
type Of<N extends HostedStage["name"]> = Extract<HostedStage, { name: N }>;
const room = thing<Of<"running">["room"]>("room");
const source = thing<Of<"leaving">["source"]>("source");
const destination = thing<Of<"arriving">["destination"]>("destination");
const abort = new AbortController();

const running: HostedStage = { name: "running", room, arrivals: undefined };
const leaving: HostedStage = { name: "leaving", room, migrationId: "m", source, abort };
const arriving: HostedStage = { name: "arriving", migrationId: "m", ticket: "t", destination };
const leaves = { type: "leaves", migrationId: "m", source, abort } as const;

it("leaves once, and stays when that move is called off", () => {
  expect(nextHostedStage(running, leaves)).toEqual(leaving);
  expect(() => nextHostedStage(leaving, leaves)).toThrow(expect.objectContaining({ code: "ROOM_MOVING" }));
  expect(() => nextHostedStage(arriving, leaves)).toThrow(expect.objectContaining({ code: "ROOM_MOVING" }));
  expect(nextHostedStage(leaving, { type: "stays", source })).toEqual(running);
});

it("arrives, and admits late players for a while", () => {
  const arrived = nextHostedStage(arriving, { type: "owned", room });
  expect(arrived).toEqual({ name: "running", room, arrivals: destination });
  expect(nextHostedStage(arrived, { type: "arrivals-over", destination })).toEqual(running);
});

it("is left alone by what is about an earlier move", () => {
  const earlier = thing<typeof source>("earlier");
  expect(nextHostedStage(leaving, { type: "stays", source: earlier })).toBe(leaving);
  expect(nextHostedStage(running, { type: "stays", source })).toBe(running);
  expect(nextHostedStage(running, { type: "owned", room })).toBe(running);
  const before = thing<typeof destination>("earlier");
  const arrived: HostedStage = { name: "running", room, arrivals: destination };
  expect(nextHostedStage(arrived, { type: "arrivals-over", destination: before })).toBe(arrived);
  expect(nextHostedStage(leaving, { type: "arrivals-over", destination })).toBe(leaving);
});
