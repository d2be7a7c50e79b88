import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { datasetOf, repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

const rollouts = join(repository, "../shared/data/rollouts");

test.skipIf(!existsSync(rollouts))(
  "recorded rollouts are mirrored, replayed where their tools are live, and exported (skipped without ../shared/data/rollouts)",
  async () => {
    await using machine = await userMachine();
    expect(await tracemill(machine, "demo", "--rollouts", rollouts)).toMatchObject({ code: 0 });
    const names = await readdir(rollouts);
    const texts = await Promise.all(names.map((name) => readFile(join(rollouts, name), "utf8")));
    const rows = texts.flatMap((text) => text.trim().split("\n"));
    const trials = await showTrials(machine);
    expect(trials.filter(({ agent }) => agent === "recorded")).toHaveLength(rows.length);
    expect(trials.filter(({ agent }) => agent === "replay").length).toBeGreaterThanOrEqual(4);
    expect(trials.every(({ outcome }) => outcome === "scored")).toBe(true);
    const { manifest } = await datasetOf(machine);
    expect(manifest.files.length).toBeGreaterThan(0);
  },
);
