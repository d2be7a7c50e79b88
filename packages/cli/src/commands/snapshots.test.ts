import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { storeRawSnapshot } from "../../../../test/fakes/raw-snapshot.ts";
import { readConfig } from "../config.ts";
import type { CliContext, LocalHome } from "../context.ts";
import { createOutput } from "../output.ts";
import { snapshotsCommand } from "./snapshots.ts";

/** Runs the command over two snapshots of `prod` and one of `other`. */
async function snapshots(args: string[], empty = false): Promise<string> {
  const objects = memoryObjectStore();
  const row = { task: { id: "a", prompt: "p" }, solutions: [] };
  if (!empty) {
    await storeRawSnapshot(objects, { source: "prod", snapshotId: "snap_1" }, [row]);
    await storeRawSnapshot(objects, { source: "prod", snapshotId: "snap_2" }, [], { parent: "snap_1" });
    await storeRawSnapshot(objects, { source: "other", snapshotId: "snap_0" }, [row]);
  }
  let written = "";
  const out = createOutput({ stdout: { write: (text) => (written += text) }, stderr: { write: () => true } });
  out.json = args.includes("--json");
  const home = { objects, close: async () => {} } as Partial<LocalHome> as LocalHome;
  const context = { config: readConfig({}), openHome: async () => home, out } as Partial<CliContext>;
  await snapshotsCommand(context as CliContext).parseAsync(args, { from: "user" });
  return written;
}

describe("tracemill snapshots", () => {
  test("lists a source's snapshots in their order, and what each found to have changed", async () => {
    const [head, first, second, ...more] = (await snapshots(["prod"])).trimEnd().split("\n");
    expect(head).toMatch(/^source +snapshot +kind +completed +tasks +solutions +changes$/);
    expect(first).toMatch(/^prod +snap_1 +full/);
    expect(second).toMatch(/^prod +snap_2 +incremental.*0 added, 0 changed, 0 unchanged, 0 deleted$/);
    expect(more).toEqual([]);
  });

  test("lists those of all sources when none is named, and as JSON without the list of files", async () => {
    const lines = (await snapshots(["--json"]))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ source, snapshotId, parent }) => [source, snapshotId, parent])).toEqual([
      ["other", "snap_0", undefined],
      ["prod", "snap_1", undefined],
      ["prod", "snap_2", "snap_1"],
    ]);
    expect(lines[0]).not.toHaveProperty("parts");
  });

  test("says how to make one when there is none", async () => {
    expect(await snapshots(["prod"], true)).toContain("tracemill ingest");
  });
});
