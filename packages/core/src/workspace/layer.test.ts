import fc from "fast-check";
import { packTar } from "modern-tar";
import { expect, test } from "vitest";
import { collect } from "../streams.ts";
import { type LayerEntry, readLayer, writeLayer } from "./layer.ts";

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

const file = (path: string, text: string, mode = 0o644): LayerEntry => {
  const content = Buffer.from(text);
  return { type: "file", path, mode, size: content.length, body: chunks(content) };
};

/** Entries with a file's body as text. */
async function readAll(tar: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const entry of readLayer(tar)) {
    if (entry.type !== "file") all.push(entry);
    else all.push({ ...entry, body: (await collect(entry.body)).toString("utf8") });
  }
  return all;
}

test("what is written comes back", async () => {
  const long = `${"folder/".repeat(40)}${"n".repeat(120)}`;
  const tar = writeLayer([
    { type: "directory", path: "app", mode: 0o1777 },
    file("app/run.sh", "echo ü", 0o4755),
    { type: "symlink", path: "app/link", target: `../${"t".repeat(200)}` },
    { type: "whiteout", path: "app/gone" },
    { type: "opaque", path: "app/anew" },
    file(long, "deep"),
    file("app/empty", ""),
  ]);
  expect(await readAll(tar)).toEqual([
    { type: "directory", path: "app", mode: 0o1777 },
    { type: "file", path: "app/run.sh", mode: 0o4755, size: 7, body: "echo ü" },
    { type: "symlink", path: "app/link", target: `../${"t".repeat(200)}` },
    { type: "whiteout", path: "app/gone" },
    { type: "opaque", path: "app/anew" },
    { type: "file", path: long, mode: 0o644, size: 4, body: "deep" },
    { type: "file", path: "app/empty", mode: 0o644, size: 0, body: "" },
  ]);
});

test("the same entries give the same bytes", async () => {
  const entries = () => [file("a", "1"), file("b", "2")];
  expect(await collect(writeLayer(entries()))).toEqual(await collect(writeLayer(entries())));
});

test("any names and contents come back, however the tar is cut", async () => {
  const name = fc
    .string({ minLength: 1, maxLength: 120, unit: "grapheme" })
    .filter((text) => !/[/\0]|^\.{1,2}$|^\.wh\./.test(text) && text.isWellFormed());
  const files = fc.uniqueArray(fc.tuple(name, fc.string()), { selector: ([key]) => key, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(files, fc.integer({ min: 1, max: 2000 }), async (wanted, cut) => {
      const tar = await collect(writeLayer(wanted.map(([path, text]) => file(path, text))));
      const parts = Array.from({ length: Math.ceil(tar.length / cut) }, (_, n) =>
        tar.subarray(n * cut, (n + 1) * cut),
      );
      const read = (await readAll(chunks(...parts))) as { path: string; body: string }[];
      expect(read.map(({ path, body }) => [path, body])).toEqual(
        wanted.map(([path, text]) => [path, Buffer.from(text).toString("utf8")]),
      );
    }),
  );
});

test("no bytes at all are a workspace without changes", async () => {
  expect(await readAll(chunks())).toEqual([]);
});

test("an unread body is skipped", async () => {
  const paths: string[] = [];
  for await (const entry of readLayer(writeLayer([file("a", "x".repeat(5000)), file("b", "y")])))
    paths.push(entry.path);
  expect(paths).toEqual(["a", "b"]);
});

test("an error of the source reaches the reader of the tar", async () => {
  const broken: LayerEntry = {
    type: "file",
    path: "a",
    mode: 0o644,
    size: 3,
    body: (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a");
      throw new Error("the disk broke");
    })(),
  };
  await expect(collect(writeLayer([broken]))).rejects.toThrow("the disk broke");
});

test.each([
  ["a hard link", { name: "x", type: "link", linkname: "/etc/passwd", size: 0 }],
  ["a device", { name: "x", type: "block-device", size: 0 }],
  ["an absolute path", { name: "/etc/x", type: "file", size: 0 }],
  ["a path that leads out", { name: "a/../../x", type: "file", size: 0 }],
  ["a deletion of the folder above", { name: "a/.wh...", type: "file", size: 0 }],
  ["a deletion of nothing", { name: "a/.wh.", type: "file", size: 0 }],
] as const)("%s is refused", async (_, header) => {
  const tar = await packTar([{ header }]);
  await expect(readAll(chunks(tar))).rejects.toMatchObject({ code: "invalid-archive" });
});

test("a tar that breaks off is refused", async () => {
  const tar = await collect(writeLayer([file("first", "1"), file("second", "x".repeat(3000))]));
  await expect(readAll(chunks(tar.subarray(0, 2000)))).rejects.toMatchObject({
    code: "invalid-archive",
    message: expect.stringContaining("not a whole tar"),
  });
});
