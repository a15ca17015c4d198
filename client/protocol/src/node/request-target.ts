/** The target of a request line, taken apart without trusting it: strangers write what they like there. Pure. */

export interface RequestTarget {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Never throws: a target that is no URL is a path that nothing is at. */
export function requestTarget(target: string | undefined): RequestTarget {
  const text = target ?? "/";
  const at = text.indexOf("?");
  if (at < 0) return { path: text, query: new URLSearchParams() };
  return { path: text.slice(0, at), query: new URLSearchParams(text.slice(at + 1)) };
}
