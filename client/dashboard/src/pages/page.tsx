/** The frame of every detail page: a way back, a title, sections. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { overviewLink } from "../ui/route.js";

interface PageProps {
  readonly kind: string;
  readonly title: ComponentChildren;
  readonly id: string;
  readonly children: ComponentChildren;
}

export function Page({ kind, title, id, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // A new page begins at its title, for eyes and screen readers alike.
    heading.current?.focus();
  }, [id]);
  return (
    <article class="card page">
      <header class="page-head">
        <a href={overviewLink} aria-label="Back to the overview">
          ← Overview
        </a>
        <span class="muted">{kind}</span>
      </header>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </article>
  );
}

export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="section">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export function Facts({ facts }: { facts: readonly [name: string, value: ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
