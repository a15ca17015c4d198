/** The emulated network of `centroid up --emulate`: where players can be, and sending one there. */
const URL_PATH = "/centroid/v1/emulation";

/** None if distances are real. */
export async function cities(): Promise<string[]> {
  const response = await fetch(URL_PATH);
  if (!response.ok) return [];
  const { sites } = (await response.json()) as { sites: string[] };
  return sites.sort();
}

export async function travel(network: string, siteId: string): Promise<void> {
  await fetch(`${URL_PATH}/${encodeURIComponent(network)}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ siteId }),
  });
}
