/** What a state can hold, and what players see of it. */
import { getStateCallbacks } from "@colyseus/sdk";
import { type Feature, until } from "./stage.js";

const area = "state";

export const stateFeatures: Feature[] = [
  {
    area,
    name: "numbers of all types, `t.quantized()`, text, booleans",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit }) => {
        r.state.big = 2n ** 60n;
        r.state.float = 0.25;
        r.state.flag = true;
        r.state.title = "Ω";
        r.state.units.set("a", new Unit().assign({ name: "a", x: 0.1, hp: 255, yaw: 3.1 }));
      });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.units.get("a").yaw = 7;
        r.state.units.get("a").hp--;
        r.state.big++;
      });
      const read = (r: never) => {
        const { state } = r as {
          state: { big: bigint; float: number; flag: boolean; title: string; units: never };
        };
        const unit = (state.units as Map<string, Record<string, number>>).get("a");
        return [String(state.big), state.float, state.flag, state.title, unit?.x, unit?.hp, unit?.yaw];
      };
      await until(() => (room.state as { units?: Map<string, { hp: number }> }).units?.get("a")?.hp === 254);
      return [await t.run(room, read as never), read(room as never)];
    },
  },
  {
    area,
    name: "maps: order, keys set again, `clear()`",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r) => {
        for (const [i, key] of ["a", "b", "c", "d"].entries()) r.state.scores.set(key, i);
        r.state.scores.delete("b");
        r.state.scores.set("b", 9);
      });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.scores.delete("a");
        r.state.scores.set("e", 5);
        r.state.scores.set("a", 7);
      });
      const first = [await t.run(room, (r) => [...r.state.scores.keys()]), await t.seen(room)];
      await t.run(room, (r) => r.state.scores.clear());
      await t.run(room, (r) => void r.state.scores.set("z", 1));
      return [first, await t.seen(room)];
    },
  },
  {
    area,
    name: "arrays: `splice`, `sort`, `reverse`, `unshift`, moved and replaced items",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Item }) => {
        r.state.order.push("c", "a", "b", "d");
        r.state.order.sort();
        for (let n = 0; n < 5; n++) r.state.items.push(new Item().assign({ name: `i${n}`, n }));
      });
      await t.run(room, (r) => void r.state.items.splice(1, 2));
      await t.disturb(room);
      await t.run(room, (r, _c, _a, { Item }) => {
        r.state.order.reverse();
        r.state.order.unshift("z");
        r.state.order.pop();
        r.state.items[0] = new Item().assign({ name: "new", n: 10 });
        r.state.items.push(new Item().assign({ name: "last", n: 11 }));
      });
      const first = await t.seen(room);
      await t.run(room, (r) => {
        r.state.items[1].n = 99;
        r.state.items.shift();
        r.state.order.length = 0;
      });
      return [first, await t.seen(room)];
    },
  },
  {
    area,
    name: "`t.set()` and `t.collection()`",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r) => {
        for (const tag of ["x", "y", "z"]) r.state.tags.add(tag);
        for (const one of ["p", "p", "q"]) r.state.crowd.add(one);
        r.state.tags.delete("y");
      });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.tags.add("y");
        r.state.tags.add("x");
        r.state.crowd.add("r");
      });
      return [
        await t.seen(room),
        await t.run(room, (r) => [r.state.tags.has("x"), r.state.tags.size, r.state.crowd.size]),
      ];
    },
  },
  {
    area,
    name: "inherited schemas in a field of their base",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit, Sword, Item }) => {
        const unit = new Unit().assign({ name: "u" });
        unit.weapon = new Sword().assign({ name: "sword", n: 1, edge: 0.3 });
        unit.bag.push(
          new Sword().assign({ name: "spare", n: 2, edge: 0.7 }),
          new Item().assign({ name: "pin", n: 0 }),
        );
        r.state.units.set("u", unit);
      });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.units.get("u").weapon.edge = 0.125;
        r.state.units.get("u").bag[0].edge = 0.5;
      });
      return [
        await t.seen(room),
        await t.run(room, (r, _c, _a, { Sword }) =>
          r.state.units.get("u").bag.map((it: unknown) => it instanceof Sword),
        ),
      ];
    },
  },
  {
    area,
    name: "one node at several places",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit, Item }) => {
        const unit = new Unit().assign({ name: "u" });
        r.state.units.set("u", unit);
        r.state.leader = unit;
        const item = new Item().assign({ name: "it", n: 1 });
        unit.bag.push(item);
        unit.weapon = item;
      });
      await t.disturb(room);
      await t.run(room, (r) => {
        r.state.leader.bag[0].n = 5;
        r.state.units.get("u").x = 3;
      });
      const first = await t.seen(room);
      await t.run(room, (r) => {
        r.state.units.get("u").bag.shift();
        r.state.leader.weapon.n = 6;
      });
      return [first, await t.seen(room), await t.run(room, (r) => r.state.leader === r.state.units.get("u"))];
    },
  },
  {
    area,
    name: "nodes taken out and put back, collections replaced by others",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit, Item }) => {
        const unit = new Unit().assign({ name: "u" });
        unit.bag.push(new Item().assign({ name: "a", n: 1 }));
        r.state.units.set("u", unit);
        r.kept = unit.name;
      });
      await t.run(room, (r) => {
        const unit = r.state.units.get("u");
        r.state.units.delete("u");
        r.state.units.set("again", unit);
      });
      await t.disturb(room);
      await t.run(room, (r, _c, _a, { ArraySchema, Item }) => {
        r.state.units.get("again").bag = new ArraySchema(new Item().assign({ name: "b", n: 2 }));
      });
      await t.run(room, (r, _c, _a, { Item }) => {
        r.state.units.get("again").bag.push(new Item().assign({ name: "c", n: 3 }));
      });
      return t.seen(room);
    },
  },
  {
    area,
    name: "nodes that are in no state yet, in fields, `userData` and each other; put into it later",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, c, _a, { Item, Unit, Spot, ArraySchema, MapSchema }) => {
        r.deck = ["a", "b", "c"].map((name, n) => new Item().assign({ name, n }));
        c.userData = { hand: new ArraySchema(r.deck[0]), board: new MapSchema({ one: r.deck[1] }) };
        r.unit = new Unit().assign({ name: "later", hp: 7, hidden: 9 });
        r.unit.bag.push(r.deck[2]);
        r.unit.plan = ["kept"];
        r.spot = new Spot({ x: 1, y: 2 });
      });
      await t.disturb(room);
      const seen = await t.run(room, (r, c, _a, { Item, Unit }) => {
        const { deck, unit } = r;
        const { hand, board } = c.userData;
        r.state.units.set("late", unit);
        r.state.items.push(deck[0]);
        r.state.spots.push(r.spot);
        deck[2].n += 10;
        unit.bag.push(board.get("one"));
        return [
          deck.every((it: unknown) => it instanceof Item) && unit instanceof Unit,
          [hand[0] === deck[0], board.get("one") === deck[1], unit.bag[0] === deck[2]],
          [unit.hidden, unit.plan],
        ];
      });
      return [seen, await t.seen(room)];
    },
  },
  {
    area,
    name: "`view()` with tags: added, removed, changed",
    async play(t) {
      const room = await t.create({
        hooks: {
          join: (r, c, _a, { StateView, Unit, Item }) => {
            const unit = new Unit().assign({ name: c.sessionId, code: "secret" });
            unit.purse.push(new Item().assign({ name: "coin", n: 1 }));
            r.state.units.set(`unit ${r.state.units.size}`, unit);
            c.view = new StateView();
            c.view.add(unit);
          },
        },
      });
      const other = await t.join(room);
      await t.run(room, (r, c) => void c.view.add(r.state.units.get("unit 1"), 4));
      const show = (it: typeof room) =>
        [...(it.state as { units: Map<string, { purse?: { name: string }[]; code?: string }> }).units].map(
          ([key, { purse, code }]) => [key, (purse ?? []).map(({ name }) => name), code],
        );
      // What comes into a view and what is put into it are not the same in one patch as in two.
      await until(() => JSON.stringify(show(room)).includes("secret"));
      await t.disturb(room, other);
      await t.run(room, (r, c, _a, { Item }) => {
        const [one, two] = [r.state.units.get("unit 0"), r.state.units.get("unit 1")];
        one.purse.push(new Item().assign({ name: "more", n: 2 }));
        two.code = "changed";
        two.purse.push(new Item().assign({ name: "theirs", n: 3 }));
        c.view.add(one, 4);
      });
      await until(
        () =>
          JSON.stringify(show(other)).includes("changed") || JSON.stringify(show(room)).includes("changed"),
      );
      const first = [show(room), show(other)];
      await t.run(room, (r, c) => void c.view.remove(r.state.units.get("unit 0")));
      await t.run(room, (r) => void r.state.units.get("unit 0").assign({ code: "unseen" }));
      await t.run(room, (r) => void r.state.n++);
      await until(() => (room.state as { n: number }).n === 1);
      return [first, show(room), show(other)];
    },
  },
  {
    area,
    name: "one `StateView` for several players, kept in a field",
    async play(t) {
      const room = await t.create({
        hooks: {
          join: (r, c, _a, { StateView }) => {
            r.teams ??= new Map([["red", new StateView()]]);
            c.view = r.teams.get("red");
          },
        },
      });
      const other = await t.join(room);
      await t.run(room, (r, _c, _a, { Unit, Item }) => {
        const unit = new Unit().assign({ name: "u" });
        unit.purse.push(new Item().assign({ name: "coin", n: 1 }));
        r.state.units.set("u", unit);
        r.teams.get("red").add(unit);
      });
      await t.disturb(room, other);
      await t.run(room, (r, _c, _a, { Unit, Item }) => {
        const unit = new Unit().assign({ name: "v" });
        unit.purse.push(new Item().assign({ name: "late", n: 2 }));
        r.state.units.set("v", unit);
        r.teams.get("red").add(unit);
      });
      const purses = (it: typeof room) =>
        [...(it.state as { units: Map<string, { purse?: { name: string }[] }> }).units].map(
          ([key, { purse }]) => [key, (purse ?? []).map(({ name }) => name)],
        );
      await until(() => JSON.stringify([purses(room), purses(other)]).split("late").length === 3);
      return [
        purses(room),
        purses(other),
        await t.run(room, (r) => r.clients.every((c: { view: unknown }) => c.view === r.teams.get("red"))),
      ];
    },
  },
  {
    area,
    name: "`noSync()`, plain fields of state classes",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit }) => {
        const unit = new Unit().assign({ name: "u", hidden: 7 });
        unit.plan.push({ at: new Date(5), who: unit });
        r.state.units.set("u", unit);
      });
      await t.disturb(room);
      return t.run(room, (r) => {
        const unit = r.state.units.get("u");
        return [unit.hidden, unit.plan.length, unit.plan[0].at.getTime(), unit.plan[0].who === unit];
      });
    },
  },
  {
    area,
    name: "another state given later",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { World }) => {
        r.state.n = 5;
        const next = new World();
        next.n = 1;
        next.title = "second";
        next.scores.set("kept", 3);
        r.state = next;
      });
      await t.run(room, (r) => void r.state.scores.set("more", 4));
      await t.disturb(room);
      await t.run(room, (r) => void r.state.n++);
      const late = await t.join(room);
      await until(() => (late.state as { n: number }).n === 2);
      return [
        await t.run(room, (r) => [r.state.n, r.state.title, [...r.state.scores]]),
        [...(late.state as { scores: Map<string, number> }).scores],
      ];
    },
  },
  {
    area,
    name: "state classes whose constructor needs arguments",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Spot }) => r.state.spots.push(new Spot({ x: 1, y: 2 })));
      await t.disturb(room);
      await t.run(room, (r, _c, _a, { Spot }) => {
        r.state.spots[0].x++;
        r.state.spots.push(new Spot({ x: 5, y: 6 }));
      });
      return t.seen(room);
    },
  },
  {
    area,
    name: "callbacks of the SDK: once for each change, none for what was there",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit }) => {
        for (const name of ["a", "b"]) r.state.units.set(name, new Unit().assign({ name, x: 1 }));
      });
      await until(() => (room.state as { units?: Map<string, unknown> }).units?.size === 2);
      const calls: string[] = [];
      // biome-ignore lint/suspicious/noExplicitAny: no types of the room's state here
      const $ = getStateCallbacks(room as never) as any;
      $(room.state).units.onAdd((unit: { name: string }, key: string) => {
        calls.push(`add ${key}`);
        $(unit).listen("x", (x: number) => calls.push(`${key}.x = ${x}`));
      });
      $(room.state).units.onRemove((_unit: unknown, key: string) => calls.push(`remove ${key}`));
      $(room.state).listen("title", (title: string) => calls.push(`title ${title}`));
      await t.disturb(room);
      await t.run(room, (r, _c, _a, { Unit }) => {
        r.state.units.get("a").x = 2;
        r.state.units.delete("b");
        r.state.units.set("c", new Unit().assign({ name: "c", x: 3 }));
        r.state.title = "end";
      });
      await until(() => calls.includes("title end"));
      return calls.sort();
    },
  },
  {
    area,
    name: "who joins late has the same",
    async play(t) {
      const room = await t.create();
      await t.run(room, (r, _c, _a, { Unit }) => {
        r.state.units.set("a", new Unit().assign({ name: "a" }));
        r.state.order.push("x", "y");
        r.state.scores.set("s", 1);
      });
      await t.disturb(room);
      await t.run(room, (r) => r.state.order.splice(0, 1));
      const late = await t.join(room);
      return [await t.seen(late), await t.seen(room)];
    },
  },
  {
    area,
    name: "rooms without a state",
    async play(t) {
      const none = await t.create({}, "bare");
      await t.run(none, (r) => ++r.count);
      await t.disturb(none);
      return t.run(none, (r) => ++r.count);
    },
  },
];
