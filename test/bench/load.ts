/** Requests to a broker as fast as it answers them. */
import { type Agent, request } from "node:http";
import { quantileOf } from "@centroid/placement";

/** Requests under way at once: enough to keep both cores busy, few enough to see latency. */
export const CONCURRENCY = 48;

/** @param one a request; returns how long it took, ms */
export async function load(
  count: number,
  one: (index: number) => Promise<number>,
): Promise<{ perSecond: number; p99Ms: number }> {
  const times: number[] = [];
  let next = 0;
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (next < count) times.push(await one(next++));
    }),
  );
  return { perSecond: (count / (performance.now() - startedMs)) * 1000, p99Ms: quantileOf(times, 0.99) };
}

/** A `POST`. Rejects unless it is answered with 200. */
export function call(agent: Agent, url: string, body: object = {}): Promise<{ roomId: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { agent, method: "POST", headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.on("data", (data: Buffer) => {
          text += data.toString();
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${response.statusCode}: ${text}`));
        });
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}
