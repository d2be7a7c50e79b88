import { gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { packTar } from "modern-tar";
import { describe, expect, test } from "vitest";
import { packTask, unpackTask } from "./archive.ts";
import type { TaskFile } from "./task-files.ts";

function file(path: string, content = "x", mode = 0o644): TaskFile {
  return { path, content: Buffer.from(content), mode };
}

async function tarOf(...names: string[]): Promise<Uint8Array> {
  return packTar(names.map((name) => ({ header: { name, size: 1 }, body: "x" })));
}

const segment = fc
  .string({ unit: "binary", minLength: 1, maxLength: 80 })
  .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== ".." && text.isWellFormed());
const relativePath = fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
const anyFiles = fc
  .uniqueArray(
    fc.record({ path: relativePath, content: fc.uint8Array(), mode: fc.constantFrom(0o644, 0o755) }),
    {
      selector: ({ path }) => path,
    },
  )
  .filter((list) => list.every(({ path }) => list.every((other) => !other.path.startsWith(`${path}/`))));

describe("packTask and unpackTask", () => {
  test("give back any files", async () => {
    await fc.assert(
      fc.asyncProperty(anyFiles, async (files) => {
        const unpacked = await unpackTask(await packTask(files), "t");
        const sorted = files.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
        expect(unpacked.map((one) => ({ ...one, content: new Uint8Array(one.content) }))).toEqual(sorted);
      }),
    );
  });

  test("make the same bytes of the same files, whatever their order", async () => {
    await fc.assert(
      fc.asyncProperty(anyFiles, async (files) => {
        expect(await packTask(files.toReversed())).toEqual(await packTask(files));
      }),
    );
  });

  test("keep of the modes whether a file may be executed", async () => {
    const files = await unpackTask(await packTask([file("a", "", 0o600), file("b", "", 0o744)]), "t");
    expect(files.map(({ mode }) => mode)).toEqual([0o644, 0o755]);
  });

  test("refuse to pack what could not be unpacked", async () => {
    await expect(packTask([file("../a")])).rejects.toMatchObject({ code: "invalid-archive" });
    await expect(packTask([file("a"), file("a/b")])).rejects.toThrow(/`a` is both a file and a folder/);
  });
});

describe("unpackTask", () => {
  test("reads plain, gzip and zstd tars", async () => {
    const tar = await tarOf("./a/b.txt");
    for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
      expect(await unpackTask(bytes, "t")).toMatchObject([{ path: "a/b.txt", content: Buffer.from("x") }]);
    }
  });

  test("reads tars with folders, in either spelling", async () => {
    const tar = await packTar([
      { header: { name: "a/", size: 0, type: "directory" } },
      { header: { name: "b/", size: 0, type: "file" } },
      { header: { name: "a/c", size: 0 } },
    ]);
    expect((await unpackTask(tar, "t")).map(({ path }) => path)).toEqual(["a/c"]);
  });

  const hostile = fc.oneof(
    relativePath.map((path) => `/${path}`),
    relativePath.map((path) => `../${path}`),
    fc.tuple(relativePath, relativePath).map(([a, b]) => `${a}/../${b}`),
    relativePath.map((path) => `${path}/..`),
    fc.constantFrom("..", "/", "//", "./..", "/etc/passwd"),
  );

  test("refuses every name that leads out, and names it", async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (name) => {
        await expect(unpackTask(await tarOf(name), "x.tar")).rejects.toMatchObject({
          code: "invalid-archive",
          message: expect.stringContaining("x.tar: "),
        });
      }),
    );
  });

  test("refuses a NUL hidden in a long name", async () => {
    const tar = await packTar([{ header: { name: "a", size: 1, pax: { path: "a\0b" } }, body: "x" }]);
    await expect(unpackTask(tar, "x.tar")).rejects.toThrow(/a NUL in the name "a\\u0000b"/);
  });

  test.each([
    ["symlink", "symlink"],
    ["link", "link"],
    ["fifo", "fifo"],
    ["character-device", "character-device"],
    ["block-device", "block-device"],
  ] as const)("refuses a %s and names it", async (type, shown) => {
    const tar = await packTar([{ header: { name: "tests/l", size: 0, type, linkname: "/etc/passwd" } }]);
    await expect(unpackTask(tar, "x.tar")).rejects.toThrow(`x.tar: \`tests/l\` is a ${shown}`);
  });

  test.each([
    ["a", "./a", /`a` comes twice/],
    ["a", "a/b", /`a` is both a file and a folder/],
    ["a/b", "a", /`a` is both a file and a folder/],
  ])("refuses %s together with %s", async (first, second, problem) => {
    await expect(unpackTask(await tarOf(first, second), "x.tar")).rejects.toThrow(problem);
  });

  test("stops at an archive that unpacks to more than is allowed, and says where", async () => {
    const bomb = await packTask([
      file("a"),
      { path: "zeros", content: new Uint8Array(4_000_000), mode: 0o644 },
    ]);
    expect(bomb.byteLength).toBeLessThan(2_000);
    await expect(unpackTask(bomb, "x.tar", { maxBytes: 1_000_000 })).rejects.toThrow(
      "x.tar: larger than 1000000 bytes unpacked, at `zeros`",
    );
  });

  test("stops when many small files add up to more than is allowed", async () => {
    const files = Array.from({ length: 300 }, (_, index) => file(`f${index}`, "y".repeat(9_000)));
    await expect(unpackTask(await packTask(files), "x.tar", { maxBytes: 1_000_000 })).rejects.toThrow(
      /larger than/,
    );
  });

  test("stops at too many entries", async () => {
    await expect(unpackTask(await tarOf("a", "b", "c"), "x.tar", { maxEntries: 2 })).rejects.toThrow(
      /more than 2/,
    );
  });

  test("says so when the archive is damaged, cut short or none at all", async () => {
    const packed = await packTask([file("a", "y".repeat(5_000))]);
    const tar = zstdDecompressSync(packed);
    const broken = Buffer.from(tar);
    broken[0] = 0xff;
    const cases = [
      new Uint8Array(0),
      Buffer.from("no tar at all"),
      packed.subarray(0, -9),
      tar.subarray(0, 2_000),
    ];
    for (const bytes of [...cases, gzipSync(tar).subarray(0, -30), broken]) {
      await expect(unpackTask(bytes, "x.tar")).rejects.toMatchObject({ code: "invalid-archive" });
    }
  });

  test("never lets damage through as another error", async () => {
    const tar = Buffer.from(zstdDecompressSync(await packTask([file("a/b", "content"), file("c", "d")])));
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), fc.nat(255), async (place, byte) => {
        const broken = Buffer.from(tar);
        broken[place] = byte;
        await unpackTask(broken, "x.tar").catch((error: unknown) => {
          expect(error).toMatchObject({ code: "invalid-archive" });
        });
      }),
    );
  });
});

test("a name that begins with a byte order mark keeps it", async () => {
  const paths = ["\uFEFFa", `${"x".repeat(90)}/\uFEFF${"y".repeat(60)}`, "a/\uFEFFb"];
  const unpacked = await unpackTask(await packTask(paths.map((path) => file(path))), "t");
  expect(unpacked.map(({ path }) => path).toSorted()).toEqual(paths.toSorted());
});
