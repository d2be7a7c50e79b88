import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import { expect, test } from "vitest";
import { gather } from "../../../../../test/fakes/gather.ts";
import { fitting } from "./room.ts";

const limits = { maxFileBytes: 10, maxBytes: 25, maxEntries: 4 };

async function* entries(...sizes: (number | "folder")[]): AsyncGenerator<LayerEntry> {
  for (const [index, size] of sizes.entries()) {
    const path = `app/${index}`;
    if (size === "folder") yield { type: "directory", path, mode: 0o755 };
    else yield { type: "file", path, mode: 0o644, size, body: (async function* () {})() };
  }
}

test("a workspace within its limits passes unchanged", async () => {
  expect(await gather(fitting(entries(10, 10, 5, "folder"), limits))).toHaveLength(4);
});

test.each([
  ["a file that is too large", entries(11), "/app/0 goes over 10 bytes"],
  ["files that are too large together", entries(10, 10, 6), "/app/2 goes over 25 bytes"],
  ["too many files", entries(1, 1, "folder", 1, 1), "more than 4 files and folders"],
])("%s is refused before it is read", async (_, all, words) => {
  await expect(gather(fitting(all, limits))).rejects.toMatchObject({
    code: "sandbox-failed",
    message: expect.stringContaining(words),
  });
});
