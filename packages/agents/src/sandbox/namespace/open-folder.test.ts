import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../../../../test/fakes/temp-dir.ts";
import { closeFolder, isOfKernel, namesIn, openFile, openRoot } from "./open-folder.ts";

test("a folder's names come sorted by bytes, and more than can be held are refused", async () => {
  await using dir = await tempDir("tracemill-names-");
  for (const name of ["b", "a", "ü", "B"]) writeFileSync(join(dir.path, name), "");
  const folder = openRoot(dir.path);
  try {
    expect(namesIn(folder).map(String)).toEqual(["B", "a", "b", "ü"]);
    expect(namesIn(folder, 4)).toHaveLength(4);
    expect(() => namesIn(folder, 3)).toThrow("more than 3 files");
  } finally {
    closeFolder(folder);
  }
});

test("a device or a link is not opened for reading", () => {
  const [dev, proc] = [openRoot("/dev"), openRoot("/proc")];
  try {
    expect(openFile(dev, "null")).toBeUndefined();
    expect(openFile(dev, "stdin")).toBeUndefined();
    expect([dev, proc].map(isOfKernel)).toEqual([false, true]);
  } finally {
    for (const folder of [dev, proc]) closeFolder(folder);
  }
});
