import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { datasetText, duckdb, exportRun, storesWith } from "../../../../test/fakes/exported.ts";
import { fixtureOutcome, fixtureTrajectory } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import type { Step, Trajectory } from "../atif/trajectory.ts";
import type { Outcome } from "../run/outcome.ts";
import type { DatasetManifest } from "./manifest.ts";

const golden = fileURLToPath(new URL("../../../../test/fixtures/art/", import.meta.url));

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

interface Group {
  trajectories: {
    reward: number;
    metadata: Record<string, unknown>;
    messages_and_choices: Record<string, unknown>[];
  }[];
  exceptions: unknown[];
  metadata: Record<string, unknown>;
}

const outcomes: Outcome[] = [
  { kind: "scored", rewards: { reward: 0, style: 0.5 } },
  { kind: "environment-failed", reason: "no image" },
  { kind: "scored", rewards: { reward: 1 } },
  { kind: "scored", rewards: { reward: 0.25 } },
  { kind: "agent-failed", failure: "output-limit", reason: "cut off", rewards: { reward: 0 } },
  { kind: "model-failed", reason: "503 \ud800 from the server" },
];

/** Of six trials: token ids, copied context, a program's turn, odd tool definitions, subagents, half a surrogate pair. */
function goldenTrajectory(index: number): Trajectory {
  const base = fixtureTrajectory(index === 0 ? 1 : index);
  if (index === 2) return { ...base, steps: base.steps.map(withTokens) };
  if (index === 4)
    return { ...base, subagent_trajectories: [subagent("own"), subagent("other", "other/model")] };
  if (index !== 3) return base;
  const [system, user, answer] = base.steps;
  const steps = [system, { ...user, message: "half \ud800 pair" }, { ...answer, is_copied_context: true }];
  const own = [
    { source: "agent", message: "from a program", llm_call_count: 0 },
    { source: "agent", message: "mine" },
  ];
  const tool_definitions = [{ name: "flat", parameters: {}, description: null }, { type: "web_search" }];
  return {
    ...base,
    agent: { ...base.agent, tool_definitions },
    steps: [...steps, ...own].map((step, at) => ({ ...step, step_id: at + 1 })) as Step[],
  };
}

function withTokens(step: Step): Step {
  if (step.source !== "agent") return step;
  const prompt = Array.from({ length: step.step_id * 2 }, (_, id) => id + 10);
  return {
    ...step,
    metrics: { prompt_token_ids: prompt, completion_token_ids: [7, 8], logprobs: [-0.5, -0.25] },
  };
}

function subagent(id: string, model?: string): Trajectory {
  const agent = { name: "sub", version: "1", ...(model === undefined ? {} : { model_name: model }) };
  const steps: Step[] = [
    { step_id: 1, source: "user", message: `part ${id}` },
    { step_id: 2, source: "agent", message: "done" },
  ];
  return { schema_version: "ATIF-v1.8", trajectory_id: id, agent, steps };
}

async function exportArt(options: object = {}, trials = outcomes.length) {
  const deps = await storesWith(dir.path, {
    trials,
    outcome: (index) => outcomes[index] ?? fixtureOutcome(index),
    trajectory: goldenTrajectory,
  });
  const manifest = await exportRun({ name: "art", formats: ["art"], ...options }, deps);
  const groupsOf = async (split = "train"): Promise<Group[]> =>
    (await datasetText(deps.objects, manifest, `jsonl/art/${split}.jsonl`))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { deps, manifest, groupsOf, folder: join(dir.path, "objects/datasets/art", manifest.version) };
}

/** What `read_trajectory_groups_parquet` (openpipe-art 0.5.23) checks and puts together, file by file. */
async function groupsOfParquet(folder: string, split = "train"): Promise<Group[]> {
  const groups: Group[] = [];
  for (const file of readdirSync(join(folder, "data/art")).filter((name) => name.startsWith(`${split}-`))) {
    const rows = await duckdb(`SELECT * FROM '${folder}/data/art/${file}'`);
    const ofFile: { json: unknown; group: Group }[] = [];
    for (const row of rows) {
      expect(row.format_version).toBe(2);
      const at = Number(row.group_index);
      if (row.trajectory_index === "0") {
        expect(at).toBe(ofFile.length);
        ofFile.push({
          json: row.group_json,
          group: { trajectories: [], ...JSON.parse(`${row.group_json}`) },
        });
      }
      const found = ofFile[at];
      expect(found?.json).toBe(row.group_json);
      expect(row.trajectory_index).toBe(String(found?.group.trajectories.length));
      found?.group.trajectories.push(JSON.parse(`${row.trajectory_json}`));
    }
    groups.push(...ofFile.map(({ group }) => group));
  }
  return groups;
}

/** Its dump has keys without a value as null, and leaves out what is empty in a group. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, inner) =>
      inner !== null && typeof inner === "object" && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).filter(([, each]) => each !== null))
        : inner,
    ),
  );
}

describe("what openpipe-art 0.5.23 reads", () => {
  test("is what was exported: the JSONL is the one that it was given, and it read all of it", async () => {
    const { deps, manifest, groupsOf } = await exportArt();
    const text = await datasetText(deps.objects, manifest, "jsonl/art/train.jsonl");
    await expect(text).toMatchFileSnapshot(join(golden, "groups.jsonl"));
    const read = JSON.parse(readFileSync(join(golden, "read.json"), "utf8"));
    const whole = (groups: object[]) =>
      withoutNulls(groups.map((group) => ({ exceptions: [], metrics: {}, logs: [], ...group })));
    expect(whole(read.jsonl)).toEqual(whole(await groupsOf()));
    expect(whole(read.parquet)).toEqual(whole(await groupsOf()));
    // Its trainer finds the sampled tokens of the choices that have them.
    expect(read.sampledTokens).toEqual([
      [7, 8],
      [7, 8],
    ]);
  });

  test("Parquet holds the same groups, none cut by a file, in the columns of its own writer", async () => {
    const splits = { train: 0.6, test: 0.4 };
    const { manifest, groupsOf, folder } = await exportArt({ shardBytes: 6_000, splits }, 60);
    const files = manifest.files.filter(({ path }) => path.startsWith("data/art/train-"));
    expect(files.length).toBeGreaterThan(2);
    for (const split of ["train", "test"]) {
      expect(await groupsOfParquet(folder, split)).toEqual(await groupsOf(split));
    }
    const described = await duckdb(`DESCRIBE FROM '${folder}/data/art/train-*.parquet'`);
    const read = JSON.parse(readFileSync(join(golden, "read.json"), "utf8"));
    expect(Object.fromEntries(described.map((each) => [each.column_name, each.column_type]))).toEqual(
      read.columnsOfItsWriter,
    );
  });

  test("an empty split is a file with the version that its reader looks for", async () => {
    const { folder } = await exportArt({ splits: { train: 1, never: 0 } });
    const pairs = await duckdb(
      `SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata('${folder}/data/art/never-*.parquet')`,
    );
    expect(pairs).toContainEqual({ key: "art.trajectory_parquet.version", value: "2" });
  });
});

describe("groups", () => {
  test("a group is the trials of one task by one agent and model, in the order of their samples", async () => {
    const { groupsOf } = await exportArt({}, 60);
    const groups = await groupsOf();
    const keys = groups.map(({ metadata: { task, agent, model } }) => JSON.stringify([task, agent, model]));
    expect(new Set(keys).size).toBe(keys.length);
    expect(groups.some(({ trajectories }) => trajectories.length === 2)).toBe(true);
    for (const { trajectories } of groups) {
      const samples = trajectories.map(({ metadata }) => Number(metadata.sample));
      expect(samples).toEqual(samples.toSorted((a, b) => a - b));
    }
  });

  test("no task is in two splits", async () => {
    const { groupsOf } = await exportArt({ splits: { train: 0.5, test: 0.5 } }, 60);
    const tasks = async (split: string) => (await groupsOf(split)).map(({ metadata }) => metadata.group);
    const train = await tasks("train");
    expect(train.length).toBeGreaterThan(0);
    expect((await tasks("test")).filter((group) => train.includes(group))).toEqual([]);
  });

  test("a failed rollout is an exception of its group and never a reward; alone it makes no group", async () => {
    const { manifest, groupsOf } = await exportArt();
    const groups = await groupsOf();
    const message = "503 \ufffd from the server";
    expect(groups.map(({ trajectories, exceptions }) => [trajectories.length, exceptions])).toEqual([
      [2, []],
      [1, [{ type: "model-failed", message, traceback: "" }]],
      [1, []],
    ]);
    expect(manifest.leftOut.formats.art).toEqual({
      "outcome:environment-failed": 1,
      "outcome:model-failed": 1,
    });
    expect(manifest.counts.art?.train?.rows).toBe(4);
  });

  test("with a failure reward, failed rollouts that left a trajectory have it", async () => {
    const { groupsOf } = await exportArt({ artFailureReward: -1 });
    const rewards = (await groupsOf()).map(({ trajectories }) => trajectories.map(({ reward }) => reward));
    expect(rewards).toEqual([[-1], [0, 1], [0.25, -1], [0]]);
  });

  test("low rewards stay, since a group learns by comparison; agents and outcomes are filtered", async () => {
    const low = await exportArt({ minReward: 0.9 });
    expect((await low.groupsOf())[0]?.trajectories.map(({ reward }) => reward)).toEqual([0, 1]);
    const { manifest, groupsOf } = await exportArt({ agents: ["terminus"], outcomes: ["agent-failed"] });
    expect(await groupsOf()).toEqual([]);
    expect(manifest.leftOut.formats.art).toEqual({
      agent: 3,
      "outcome:environment-failed": 1,
      "outcome:model-failed": 1,
      "outcome:scored": 1,
    });
  });

  test("lineage leads from each trajectory to its attempt", async () => {
    const { deps, manifest, groupsOf } = await exportArt();
    const lines = (await datasetText(deps.objects, manifest, "lineage.jsonl")).split("\n").filter(Boolean);
    const trajectories = (await groupsOf()).flatMap((group) => group.trajectories);
    expect(lines.map((line) => JSON.parse(line).row_id)).toEqual(
      trajectories.map(({ metadata }) => metadata.row_id),
    );
  });

  test("two exports of the same trials give the same bytes", async () => {
    const hashes = ({ files }: DatasetManifest) => files.map(({ path, sha256 }) => [path, sha256]);
    const first = await exportArt({}, 30);
    await using other = await tempDir();
    const deps = await storesWith(other.path, {
      trials: 30,
      outcome: (index) => outcomes[index] ?? fixtureOutcome(index),
      trajectory: goldenTrajectory,
    });
    expect(hashes(await exportRun({ name: "art", formats: ["art"] }, deps))).toEqual(hashes(first.manifest));
  });
});

describe("trajectories", () => {
  test("sampled turns are choices; copied context and a program's turns are messages", async () => {
    const { groupsOf } = await exportArt();
    const [, second] = await groupsOf();
    expect(second?.trajectories[0]?.messages_and_choices).toEqual([
      { role: "system", content: "You are a terminal agent." },
      { role: "user", content: "half \ufffd pair" },
      { role: "assistant", content: "Answer 3" },
      { role: "assistant", content: "from a program" },
      { finish_reason: "stop", index: 0, message: { role: "assistant", content: "mine" } },
    ]);
  });

  test("token ids and log probabilities are those of the sampled turn, tokens named by their ids", async () => {
    const { groupsOf } = await exportArt();
    const [first] = await groupsOf();
    const items = first?.trajectories[1]?.messages_and_choices ?? [];
    const token = (id: number, logprob: number) => ({
      token: `token_id:${id}`,
      logprob,
      bytes: null,
      top_logprobs: [],
    });
    expect(items.find((item) => "index" in item)).toMatchObject({
      finish_reason: "tool_calls",
      logprobs: { content: [token(7, -0.5), token(8, -0.25)] },
      token_ids: [7, 8],
      prompt_token_ids: [10, 11, 12, 13, 14, 15],
    });
  });

  test("a turn that was cut off says so; a subagent of the same model is a further history", async () => {
    const { groupsOf } = await exportArt();
    const [, , third] = await groupsOf();
    expect(third?.trajectories[0]).toMatchObject({
      additional_histories: [{ messages_and_choices: [{ content: "part own" }, { index: 0 }] }],
      logs: ["agent-failed (output-limit): cut off"],
    });
    const choices = third?.trajectories[0]?.messages_and_choices.filter((item) => "index" in item) ?? [];
    expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(["tool_calls", "length"]);
  });

  test("tool definitions come in OpenAI's form, and those that have none are named in the logs", async () => {
    const { groupsOf } = await exportArt();
    const [, second] = await groupsOf();
    expect(second?.trajectories[0]).toMatchObject({
      tools: [{ type: "function", function: { name: "flat", parameters: {} } }],
      logs: ["tool definition 2 is left out: it is no function with a name"],
    });
  });
});
