import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { readConfig } from "../config.ts";
import type { CliContext } from "../context.ts";
import { openHome } from "../deps.ts";
import { createOutput } from "../output.ts";
import { costCommand } from "./cost.ts";

interface Said {
  stdout: string;
  stderr: string;
}

async function cost(dir: string, ...args: string[]): Promise<Said> {
  const said: Said = { stdout: "", stderr: "" };
  const into = (stream: keyof Said) => ({
    write: (text: string) => {
      said[stream] += text;
    },
  });
  const out = createOutput({ stdout: into("stdout"), stderr: into("stderr") });
  out.json = args.includes("--json");
  const home = join(dir, "home");
  const never = new AbortController().signal;
  const context: CliContext = {
    config: readConfig({}),
    home,
    openHome: () => openHome(home),
    openCloud: () => Promise.reject(new Error("no cloud here")),
    clock: { now: () => 0, sleep: async () => {} },
    random: () => 0.5,
    signal: never,
    draining: never,
    out,
    exitCode: 0,
  };
  await costCommand(context).exitOverride().parseAsync(args, { from: "user" });
  return said;
}

async function folderSpec(dir: string, parts = ""): Promise<string> {
  const task = join(dir, "tasks", "hello");
  await mkdir(join(task, "tests"), { recursive: true });
  await mkdir(join(task, "solution"), { recursive: true });
  await writeFile(join(task, "task.toml"), 'schema_version = "1.4"\n');
  await writeFile(join(task, "instruction.md"), "Say hello\n");
  await writeFile(join(task, "tests", "test.sh"), "#!/bin/bash\n");
  await writeFile(join(task, "solution", "solve.sh"), "#!/bin/bash\n");
  const file = join(dir, "spec.yaml");
  await writeFile(file, `name: t\ntasks: [./tasks]\nagents: [{ name: oracle }]\nattempts: 100\n${parts}`);
  return file;
}

describe("cost", () => {
  test("says what a run of these tasks would cost, by service, with the prices' date", async () => {
    await using dir = await tempDir();
    const { stdout } = await cost(dir.path, await folderSpec(dir.path));
    expect(stdout).toContain("1 tasks · 100 trials · 2 shards");
    expect(stdout).toMatch(/control plane +Step Functions +state transitions +24 transitions/);
    expect(stdout).toMatch(/compute +EC2 +trace in host jobs, c7i\.2xlarge Spot/);
    expect(stdout).toContain("prices: list prices of 2026-11, us-east-1");
  });

  test("says the same to a machine", async () => {
    await using dir = await tempDir();
    const { stdout } = await cost(dir.path, await folderSpec(dir.path), "--json", "--on-demand");
    const said = JSON.parse(stdout);
    expect(said).toMatchObject({
      type: "cost",
      plan: { trials: 100 },
      prices: { asOf: "list prices of 2026-11" },
    });
    expect(said.totals.compute).toBeGreaterThan(0);
    expect(JSON.stringify(said.lines)).toContain("on demand");
  });

  test("says what it assumed of a source that is not here, and takes the user's word for its size", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "nightly.yaml");
    await writeFile(file, "name: n\nsource: { kind: prod }\nagents: [{ name: oracle }]\n");
    const { stdout, stderr } = await cost(dir.path, file, "--tasks", "2000");
    expect(stdout).toContain("2,000 tasks · 2,000 trials");
    expect(stderr).toContain("nothing of `prod` is prepared here: 2,000 tasks with tests");
  });

  test("takes other prices from a file, and refuses one that it does not understand", async () => {
    await using dir = await tempDir();
    const spec = await folderSpec(dir.path);
    const prices = join(dir.path, "ours.yaml");
    await writeFile(prices, "prices: { asOf: our contract, s3: { perThousandPuts: 5 } }\n");
    const { stdout } = await cost(dir.path, spec, "--prices", prices);
    expect(stdout).toContain("prices: our contract, us-east-1");
    await writeFile(prices, "assumptions: { modelAgentSecond: 5 }\n");
    await expect(cost(dir.path, spec, "--prices", prices)).rejects.toThrow(
      "did you mean `modelAgentSeconds`?",
    );
    await expect(cost(dir.path, spec, "--prices", join(dir.path, "none.yaml"))).rejects.toThrow("--prices");
  });

  test("takes longer and costs more when attempts take longer", async () => {
    await using dir = await tempDir();
    const spec = await folderSpec(dir.path);
    const totals = async (seconds: string) =>
      JSON.parse((await cost(dir.path, spec, "--json", "--seconds-per-trial", seconds)).stdout);
    const [short, long] = [await totals("10"), await totals("1000")];
    expect(long.totals.compute).toBeGreaterThan(5 * short.totals.compute);
    expect(long.timeline.seconds).toBeGreaterThan(short.timeline.seconds);
    await expect(cost(dir.path, spec, "--seconds-per-trial", "-1")).rejects.toThrow();
  });
});
