/** A recording as one self-contained HTML file: this very page with its script, style and events inside. */
import type { BrokerEvent } from "@centroid/protocol";

const RECORDING_ID = "centroid-recording";

/** @returns the recording inside this page, if it is an exported one */
export function embeddedRecording(): string | undefined {
  return document.getElementById(RECORDING_ID)?.textContent ?? undefined;
}

/**
 * Saves the events as a file that plays them offline.
 * @throws Error when the page's own script or style cannot be read again
 */
export async function exportRecording(events: readonly BrokerEvent[]): Promise<void> {
  const html = await recordingPage(events);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
  const stamp = new Date(events.at(-1)?.atMs ?? 0).toISOString().replace(/[:.]/g, "-");
  link.download = `centroid-${stamp}.html`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function recordingPage(events: readonly BrokerEvent[]): Promise<string> {
  const script = await textOf(document.querySelector<HTMLScriptElement>("script[type=module]")?.src);
  const style = await textOf(document.querySelector<HTMLLinkElement>("link[rel=stylesheet]")?.href);
  // Inside a script element only these could end it early or open a comment.
  const json = JSON.stringify(events).replace(/</g, "\\u003c");
  const code = script.replace(/<\/script/gi, "<\\/script").replace(/<!--/g, "\\x3c!--");
  const policy =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; font-src data:; img-src data:";
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<title>Centroid recording</title><style>${style.replace(/<\/style/gi, "<\\/style")}</style></head><body>`,
    `<div id="app"></div><script type="application/json" id="${RECORDING_ID}">${json}</script>`,
    `<script type="module">${code}</script></body></html>`,
  ].join("\n");
}

async function textOf(url: string | undefined): Promise<string> {
  if (!url) throw new Error("cannot export: this page was not built; run the dashboard's build first");
  const response = await fetch(url);
  if (!response.ok)
    throw new Error(`cannot export: ${url} answered ${response.status}; is the broker running?`);
  return response.text();
}
