import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { gather } from "../../../test/fakes/gather.ts";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { openObjectStore } from "./object-store.ts";

const text = (value: string): Uint8Array => Buffer.from(value);

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(600_000);
  throw new Error("the source broke");
}

test("objects are plain files under their keys", async () => {
  await using dir = await tempDir();
  await openObjectStore(dir.path).put("runs/1/result.json", text("{}"));
  expect(existsSync(join(dir.path, "runs/1/result.json"))).toBe(true);
});

test("a store that is only read makes no directory", async () => {
  await using dir = await tempDir();
  const store = openObjectStore(join(dir.path, "absent"));
  expect(await store.get("key")).toBeUndefined();
  expect(await gather(store.list(""))).toEqual([]);
  expect(existsSync(join(dir.path, "absent"))).toBe(false);
});

test("nothing stays in the folder for temporary files", async () => {
  await using dir = await tempDir();
  const store = openObjectStore(dir.path);
  await store.put("a", text("1"));
  await store.putIfAbsent("a", text("2"));
  await store.putIfAbsent("b", Buffer.alloc(1_000_000));
  await expect(store.put("c", breaking())).rejects.toThrow("the source broke");
  expect(readdirSync(join(dir.path, ".tmp"))).toEqual([]);
});

test("opening removes old leftovers of dead processes, and no others", async () => {
  await using dir = await tempDir();
  const temp = join(dir.path, ".tmp");
  mkdirSync(temp);
  const longAgo = new Date(Date.now() - 7_200_000);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (const name of [`${dead}-x-1`, `${process.pid}-x-1`]) {
    writeFileSync(join(temp, name), "half");
    utimesSync(join(temp, name), longAgo, longAgo);
  }
  writeFileSync(join(temp, `${dead}-x-2`), "written just now");
  openObjectStore(dir.path);
  expect(readdirSync(temp).sort()).toEqual([`${process.pid}-x-1`, `${dead}-x-2`].sort());
});

test("a key that is also a folder is refused, naming the key", async () => {
  await using dir = await tempDir();
  const store = openObjectStore(dir.path);
  await store.put("a/b", text("x"));
  const refused = { code: "invalid-input", message: expect.stringContaining("folder of other keys") };
  for (const key of ["a", "a/b/c"]) {
    await expect(store.put(key, text("y"))).rejects.toMatchObject(refused);
    await expect(store.putIfAbsent(key, text("y"))).rejects.toMatchObject(refused);
  }
});

test("links are not objects in a list", async () => {
  await using dir = await tempDir();
  const store = openObjectStore(dir.path);
  await store.put("a/real", text("x"));
  symlinkSync("/etc", join(dir.path, "a/link"));
  expect(await gather(store.list("a/"))).toEqual([{ key: "a/real", size: 1 }]);
});

test.skipIf(process.getuid?.() === 0)(
  "a folder without permission is named (as another user than root)",
  async () => {
    await using dir = await tempDir();
    chmodSync(dir.path, 0o500);
    const store = openObjectStore(dir.path);
    await expect(store.put("key", text("x"))).rejects.toMatchObject({ code: "storage-failed" });
  },
);

const script = fileURLToPath(new URL("../../../test/fakes/fill-disk.ts", import.meta.url));
const inTinyDisk = (dir: string) =>
  spawnSync(
    "unshare",
    [
      "-Urm",
      "sh",
      "-c",
      'mount -t tmpfs -o size=600k tmpfs "$1" && exec "$2" "$3" "$1"',
      "sh",
      dir,
      process.execPath,
      script,
    ],
    { encoding: "utf8" },
  );
const canMount = spawnSync("unshare", ["-Urm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).status === 0;

test.skipIf(!canMount)(
  "a full disk is named, leaves no half object, and room made is room used",
  async () => {
    await using dir = await tempDir();
    const { stdout, stderr } = inTinyDisk(dir.path);
    expect(stderr).toBe("");
    const report = JSON.parse(stdout);
    expect(report.objects).toEqual({
      small: "storage-full",
      streamed: "storage-full",
      keys: ["fits"],
      temp: [],
    });
    expect(report.objectMessage).toContain("free some space");
    expect(report.afterDelete).toBe("created");
    expect(report.records).toBe("storage-full");
    expect(report.scratch).toBe("storage-full");
    expect(report.parquet).toBe("storage-full");
    expect(report.parquetLeft).toEqual([]);
  },
);
