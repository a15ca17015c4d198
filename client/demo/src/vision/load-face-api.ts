/**
 * face-api for Node on tfjs' WASM backend. Its build asks for all of tfjs, 140 MB with a second set of backends; what it
 * uses is in the core, once tensors have the core's functions as methods.
 */
import { readFileSync } from "node:fs";
import { compileFunction } from "node:vm";
import type { FaceApi } from "./model.js";

type Operation = (tensor: unknown, ...rest: unknown[]) => unknown;
type Methods = Record<string, unknown>;

interface Core {
  Tensor: { prototype: Methods };
  reshape: Operation;
  cast: Operation;
}

/** @param require finds tfjs @param file `face-api.node-wasm.js` */
export function loadFaceApi(require: NodeJS.Require, file: string): FaceApi {
  addMethods(require("@tensorflow/tfjs-core") as Core);
  const exported = { exports: {} };
  const run = compileFunction(readFileSync(file, "utf8"), ["exports", "require", "module"], {
    filename: file,
  });
  run(
    exported.exports,
    (name: string) => require(name === "@tensorflow/tfjs" ? "@tensorflow/tfjs-core" : name),
    exported,
  );
  return exported.exports as FaceApi;
}

/** `tensor.add(other)` for `add(tensor, other)`, and so on: in the whole of tfjs they come with it. */
function addMethods(core: Core): void {
  const methods = core.Tensor.prototype;
  for (const [name, operation] of Object.entries(core)) {
    if (typeof operation !== "function" || name in methods) continue;
    methods[name] = function (this: unknown, ...rest: unknown[]) {
      return (operation as Operation)(this, ...rest);
    };
  }
  methods.as1D = function (this: { size: number }) {
    return core.reshape(this, [this.size]);
  };
  for (const rank of [2, 3, 4])
    methods[`as${rank}D`] = function (this: unknown, ...shape: number[]) {
      return core.reshape(this, shape);
    };
  methods.toFloat = function (this: unknown) {
    return core.cast(this, "float32");
  };
}
