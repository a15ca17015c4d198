/** Addresses are given in turn, and never twice to guests that live at once. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressAt, countOf, GuestAddresses, networkOf } from "@centroid/agent";
import fc from "fast-check";
import { expect, it } from "vitest";

/** Where a guest beats. */
const pulsePort = 2568;
/** Of this process alone: nobody else's server has this port there. */
const own = [16, 8, 0].map((shift) => (process.pid >> shift) & 255);
const loopback = networkOf(`127.${own.join(".")}/30`);

async function inFolder(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "centroid-addresses-"));
  try {
    await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

it("gives no address that a living guest has, whoever lives and however often the agent starts anew", async () => {
  const range = { from: "10.80.0.254", to: "10.80.1.3" };
  const step = fc.oneof(
    fc.constant({ do: "start" as const }),
    fc.record({ do: fc.constant("end" as const), which: fc.nat({ max: 5 }) }),
    fc.constant({ do: "again" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
      inFolder(async (directory) => {
        const living = new Set<string>();
        const isTaken = (address: string) => Promise.resolve(living.has(address));
        let addresses = new GuestAddresses({ directory, range, isTaken });
        for (const it of steps) {
          if (it.do === "again") addresses = new GuestAddresses({ directory, range, isTaken });
          if (it.do === "end") living.delete(addressAt(range, it.which));
          if (it.do !== "start") continue;
          if (living.size === countOf(range)) {
            await expect(addresses.next()).rejects.toMatchObject({
              code: "HOST_LOST",
              message: expect.stringContaining("10.80.0.254 to 10.80.1.3 are in use"),
            });
            continue;
          }
          const address = await addresses.next();
          expect(living.has(address)).toBe(false);
          living.add(address);
        }
      }),
    ),
  );
});

it("asks nobody on the first round, and gives different ones to those who ask at once", () =>
  inFolder(async (directory) => {
    const range = { from: "10.80.0.1", to: "10.80.0.5" };
    const addresses = new GuestAddresses({
      directory,
      range,
      isTaken: () => Promise.reject(new Error("asked")),
    });
    const given = await Promise.all(Array.from({ length: 5 }, () => addresses.next()));
    expect(given).toEqual(Array.from({ length: 5 }, (_, index) => addressAt(range, index)));
    await expect(addresses.next()).rejects.toThrow("asked");
  }));

it("takes an address for taken where something listens, or refuses", () =>
  inFolder(async (directory) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(pulsePort, loopback.from, resolve));
    try {
      const addresses = new GuestAddresses({ directory, range: loopback });
      expect([await addresses.next(), await addresses.next()]).toEqual([loopback.from, loopback.to]);
      await expect(addresses.next()).rejects.toMatchObject({ code: "HOST_LOST" });
    } finally {
      server.close();
    }
  }));
