import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
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
    // The agent `tools` comes to the same with the recorded answers as its model, and no cap counts them.
    const [snapshot = ""] = await readdir(join(machine.home, "objects/raw"));
    const spec = join(machine.dir, "played.json");
    await writeFile(
      spec,
      JSON.stringify({
        name: "played",
        tasks: [`snapshot:${snapshot}`],
        agents: [{ name: "tools", model: "replay/reference" }],
        limits: { turns: 1, tokens: 1 },
      }),
    );
    expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
    const rewards = (of: typeof trials, agent: string) =>
      of.filter((trial) => trial.agent === agent).map(({ solutionId, reward }) => [solutionId, reward]);
    expect(rewards(await showTrials(machine), "tools")).toEqual(rewards(trials, "replay"));
  },
);
