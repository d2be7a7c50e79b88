import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changesOutside, checkLayers } from "./layers.ts";

const layers = [{ path: "/opt/tools/a" }, { path: "/opt/tools/b" }];

const folder = (path: string, mode = 0o755): LayerEntry => ({ type: "directory", path, mode });
const gone = (path: string): LayerEntry => ({ type: "whiteout", path });

/** What is left of changes over an environment that has `/opt` alone. */
async function left(entries: readonly LayerEntry[]): Promise<string[]> {
  const all = (async function* () {
    yield* entries;
  })();
  const stat = (path: string) => (path === "opt" ? { mode: 0o755, isDirectory: () => true } : undefined);
  const found: string[] = [];
  for await (const { path } of changesOutside(all, layers, stat)) found.push(path);
  return found;
}

describe("changes of a sandbox with layers", () => {
  test("do not tell of the folders that the layers were laid in", async () => {
    expect(
      await left([
        folder("opt"),
        folder("opt/tools"),
        folder("opt/tools/a"),
        folder("opt/tools/b"),
        gone("x"),
      ]),
    ).toEqual(["x"]);
  });

  test("tell of a folder on the way that holds something else, before that", async () => {
    const entries = [folder("opt"), folder("opt/tools"), folder("opt/tools/a"), gone("opt/tools/a-old")];
    expect(await left(entries)).toEqual(["opt", "opt/tools", "opt/tools/a-old"]);
  });

  test("tell of a folder of the environment whose mode was changed", async () => {
    expect(await left([folder("opt", 0o700), folder("opt/tools")])).toEqual(["opt"]);
  });

  test("tell of everything that is not a layer's or on the way to one, in its order", async () => {
    const name = fc.constantFrom("opt", "tools", "a", "b", "c", "ab");
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
    const paths = fc
      .uniqueArray(path, { maxLength: 12 })
      .map((all) => all.toSorted((x, y) => (x.replaceAll("/", "\0") < y.replaceAll("/", "\0") ? -1 : 1)));
    await fc.assert(
      fc.asyncProperty(paths, async (all) => {
        const kept = await left(all.map(gone));
        expect(kept).toEqual(all.filter((each) => !/^opt\/tools\/[ab](\/|$)/.test(each)));
      }),
    );
  });
});

test("a layer has its place beside the working directory, and an image whose working directory is the root has none", () => {
  const layer = { id: "x", dir: "/somewhere", path: "/opt/tracemill/x" };
  expect(() => checkLayers([layer], "/")).not.toThrow();
  expect(() => checkLayers([layer], "/opt")).toThrow(/opt belongs to something else/);
  expect(() => checkLayers([layer], "/opt/tracemill/x/y")).toThrow(/belongs to something else/);
  expect(() => checkLayers([layer], "/opt/tracemill/xy")).not.toThrow();
  expect(() => checkLayers([{ ...layer, id: "../x" }], "/app")).toThrow(/its id "..\/x"/);
  expect(() => checkLayers([{ ...layer, dir: "here" }], "/app")).toThrow(/no absolute path/);
});
