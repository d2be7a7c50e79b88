import { describe, expect, test } from "vitest";
import { listingHas } from "./base-view.ts";
import { changesBetween } from "./changes.ts";
import { type Listing, parseListing } from "./listing.ts";

const time = "2026-11-21 13:16:37.811254920 +0000";

function line(path: string, { mode = "81a4", size = 1, changed = time } = {}): string {
  return `${mode}|${size}|${changed}|${changed}|${path}\n`;
}

const folder = (path: string, mode = "41ed") => line(path, { mode, size: 4096 });
const link = (path: string, shown: string) => `${line(path, { mode: "a1ff" })}${shown}\n`;
const listing = (...lines: string[]): Listing => parseListing(Buffer.from(lines.join("")));
const changes = (base: Listing, now: Listing) =>
  changesBetween(base, now, () => true).map(({ type, path }) => `${type} ${path}`);

describe("a listing", () => {
  test("tells kinds, permissions and sizes, and leaves out what is the container's", () => {
    const found = listing(
      folder("/"),
      folder("/app", "43ff"),
      line("/app/run", { mode: "89ed", size: 12 }),
      folder("/proc"),
      line("/tracemill/box.sh"),
      line("/dev/x"),
      line("/run/y"),
    );
    expect([...found.keys()]).toEqual(["app", "app/run"]);
    expect(found.get("app")).toMatchObject({ kind: "directory", mode: 0o1777 });
    expect(found.get("app/run")).toMatchObject({ kind: "file", mode: 0o4755, size: 12 });
  });

  test("has the targets of links, as GNU and busybox show them, whatever is in them", () => {
    const found = listing(
      link("/a", "/a -> usr/bin"),
      link("/b", "'/b' -> 'it's'"),
      link("/c -> d", "/c -> d -> e -> f"),
      link("/n", "/n -> two\nlines"),
      line("/after"),
    );
    const targets = [...found].map(([path, { target }]) => [path, target]);
    expect(targets).toEqual([
      ["a", "usr/bin"],
      ["b", "it's"],
      ["c -> d", "e -> f"],
      ["n", "two\nlines"],
      ["after", undefined],
    ]);
  });

  test("keeps names with line breaks, bars and bytes that are no text", () => {
    const bytes = Buffer.concat([
      Buffer.from(`!81a4|1|${time}|${time}\n/app/a\nb\0`),
      Buffer.from(line("/app/x|y")),
      Buffer.from(`81a4|1|${time}|${time}|/app/`),
      Buffer.from([0xff, 0x0a]),
    ]);
    expect([...parseListing(bytes).keys()]).toEqual(["app/a\nb", "app/x|y", "app/\u00ff"]);
  });

  test("that is no listing, or breaks off, is not one of anything", () => {
    expect(listing("nonsense\n", "81a4|x|y\n", "!81a4|1|a|b").size).toBe(0);
  });
});

describe("what the environment has", () => {
  const base = listing(
    folder("/usr"),
    folder("/usr/bin"),
    line("/usr/bin/env"),
    link("/bin", "/bin -> usr/bin"),
    link("/opt", "/opt -> /usr"),
    link("/loop", "/loop -> loop"),
    link("/up", "/up -> ../../usr"),
  );
  test.each([
    ["/usr/bin/env", true],
    ["/bin/env", true],
    ["/opt/bin/../bin/env", true],
    ["/up/bin/env", true],
    ["/bin", true],
    ["/loop", true],
    ["/loop/x", false],
    ["/usr/bin/env/x", false],
    ["/none", false],
    ["/", true],
  ])("%s: %s", (path, has) => {
    expect(listingHas(base, path)).toBe(has);
  });
});

describe("changes between two listings", () => {
  test("come in the order of a layer, each folder before what changed in it", () => {
    const base = listing(folder("/a"), line("/a/old"), folder("/a/gone"), line("/a/gone/x"), folder("/b"));
    const now = listing(
      line("/a-b"),
      folder("/b", "41c0"),
      folder("/a"),
      line("/a/old", { size: 2 }),
      folder("/a/sub"),
      line("/a/sub/new"),
    );
    expect(changes(base, now)).toEqual([
      "directory a",
      "whiteout a/gone",
      "file a/old",
      "directory a/sub",
      "file a/sub/new",
      "file a-b",
      "directory b",
    ]);
  });

  test("tell when one kind takes another's place", () => {
    const base = listing(line("/f"), folder("/d"), line("/d/x"), link("/l", "/l -> a"));
    const now = listing(folder("/f"), line("/f/x"), line("/d"), link("/l", "/l -> b"));
    expect(changes(base, now)).toEqual(["file d", "whiteout f", "directory f", "file f/x", "symlink l"]);
  });

  test("see a file that was written again with the same size, and no more than that", () => {
    const base = listing(folder("/d"), line("/d/a"), line("/d/b"));
    const now = listing(
      folder("/d"),
      line("/d/a", { changed: "2026-11-21 13:16:37.811254921 +0000" }),
      line("/d/b"),
    );
    expect(changes(base, now)).toEqual(["directory d", "file d/a"]);
    expect(changes(base, base)).toEqual([]);
  });

  test("leave out sockets, FIFOs, devices and names that a layer cannot hold", () => {
    const now = listing(
      line("/s", { mode: "c1ed" }),
      line("/p", { mode: "11a4" }),
      line("/.wh.x"),
      folder("/.wh.d"),
      line("/.wh.d/f"),
    );
    expect(changes(listing(), now)).toEqual([]);
  });
});
