import { expect, test } from "vitest";
import { contextFiles, matchSource } from "./context.ts";

const files = (...paths: string[]) =>
  paths.map((path) => ({ path, content: Buffer.from(path), mode: 0o644 }));
const context = files("Dockerfile", "a.txt", "b.txt", "dir/one", "dir/sub/two", "dir2/c.txt", "[x].txt");

const matched = (source: string) => {
  const { single, files: found } = matchSource(source, context, "line 1");
  return { single, found: found.map(({ below, file }) => `${file.path} -> ${below}`) };
};

test.each([
  ["a.txt", true, ["a.txt -> a.txt"]],
  ["./a.txt", true, ["a.txt -> a.txt"]],
  ["/dir/one", true, ["dir/one -> one"]],
  ["dir", false, ["dir/one -> one", "dir/sub/two -> sub/two"]],
  ["dir/", false, ["dir/one -> one", "dir/sub/two -> sub/two"]],
  ["?.txt", false, ["a.txt -> a.txt", "b.txt -> b.txt"]],
  ["[ab].txt", false, ["a.txt -> a.txt", "b.txt -> b.txt"]],
  ["[^a].txt", true, ["b.txt -> b.txt"]],
  ["di*", false, ["dir/one -> one", "dir/sub/two -> sub/two", "dir2/c.txt -> c.txt"]],
  ["dir/*", false, ["dir/one -> one", "dir/sub/two -> two"]],
  ["\\[x].txt", true, ["[x].txt -> [x].txt"]],
])("%s", (source, single, found) => {
  expect(matched(source)).toEqual({ single, found });
});

test("the whole context", () => {
  expect(matched(".").found).toHaveLength(context.length);
});

test("a source that leads above the context stays in it", () => {
  expect(matched("../../a.txt").found).toEqual(["a.txt -> a.txt"]);
});

test("nothing found is an error with the line", () => {
  expect(() => matched("none*")).toThrow("line 1: `none*`");
});

test(".dockerignore leaves files out, by anchored patterns", () => {
  const given = [
    ...files("keep", "secret", "dir/secret", "logs/a", "logs/keep"),
    { path: ".dockerignore", content: Buffer.from("# comment\nsecret\nlogs/*\n!logs/keep\n"), mode: 0o644 },
  ];
  const kept = contextFiles(given).map(({ path }) => path);
  expect(kept).toEqual(["keep", "dir/secret", "logs/keep", ".dockerignore"]);
});
