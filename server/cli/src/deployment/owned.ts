/** Things to be let go of in reverse order (Node 20 has no AsyncDisposableStack). */
export class Owned implements AsyncDisposable {
  readonly #things: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(thing: T): T {
    this.#things.push(thing);
    return thing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thing of this.#things.splice(0).reverse()) await thing[Symbol.asyncDispose]();
  }
}
