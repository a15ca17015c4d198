/** Where the emulated players are; the broker passes it on to the distance emulator. */

async function ask(path: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(`/centroid/v1/emulation${path}`, init);
  if (!response.ok)
    throw new Error(
      'This broker does not emulate distances. Start it with "npm start" or "centroid up --emulate".',
    );
  return response.json();
}

/** Cities a player can be in. */
export async function sites(): Promise<string[]> {
  const answer = await ask("");
  if (typeof answer !== "object" || answer === null || !("sites" in answer) || !Array.isArray(answer.sites))
    return [];
  return answer.sites.map(String).sort();
}

/** The player with this network label is in that city from now on. */
export async function travel(network: string, siteId: string): Promise<void> {
  await ask(`/${encodeURIComponent(network)}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ siteId }),
  });
}
