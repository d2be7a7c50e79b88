import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { LoadedTask } from "@tracemill/core/ports/agent.ts";
import { jsonLinesBody } from "@tracemill/core/stored-json.ts";
import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { answerTrial } from "../../../../test/fakes/trial-world.ts";
import { imageSourceOf } from "./image-source.ts";

const runId = "run_x";

/** A run with one shard, whose tasks load as `task`. */
async function sourceOf(task: LoadedTask) {
  const objects = memoryObjectStore();
  const shard = {
    shardId: "shd_1",
    environment: "env_1",
    sandboxed: { trace: true, evaluate: true },
    trials: 1,
  };
  const plan = { schemaVersion: 1, runId, tasks: 1, trials: 1, excluded: 0, excludedBy: {}, shards: [shard] };
  await objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  await objects.put(objectKeys.runShard(runId, "shd_1"), jsonLinesBody([answerTrial()]));
  return imageSourceOf({ runId, environment: "env_1" }, { objects, tasks: { load: async () => task } });
}

function harbor(environment: string, files: Record<string, string> = {}): LoadedTask {
  const all = {
    "task.toml": `schema_version = "1.4"\n[task]\nname = "acme/t"\n[environment]\n${environment}\n`,
    "instruction.md": "Do it\n",
    "tests/test.sh": "#!/bin/bash\n",
    ...files,
  };
  const listed = Object.entries(all).map(([path, text]) => ({
    path,
    content: Buffer.from(text),
    mode: 0o644,
  }));
  return { kind: "harbor", harbor: readHarborTask(listed, "t") };
}

const dockerfile = { "environment/Dockerfile": "FROM scratch\n", "environment/sub/data": "x" };

describe("what an environment's image is made from", () => {
  test("is the task's Dockerfile with the files beside it", async () => {
    const source = await sourceOf(harbor("build_timeout_sec = 99", dockerfile));
    expect(source).toMatchObject({ kind: "dockerfile", task: "acme/answer", buildTimeoutSec: 99 });
    expect(source.kind === "dockerfile" && source.context.map(({ path }) => path)).toEqual([
      "Dockerfile",
      "sub/data",
    ]);
  });

  test("is the image that the task names", async () => {
    const image = `ghcr.io:5000/acme/task:1@sha256:${"a".repeat(64)}`;
    expect(await sourceOf(harbor(`docker_image = "${image}"`))).toMatchObject({ kind: "image", image });
  });

  test("is the Dockerfile where a task has both", async () => {
    expect(await sourceOf(harbor('docker_image = "acme/task:1"', dockerfile))).toMatchObject({
      kind: "dockerfile",
    });
  });

  test("is nothing for a task that has neither", async () => {
    expect(await sourceOf(harbor(""))).toMatchObject({ kind: "bare" });
  });

  test.each([["a b"], ["x\\nRUN curl"], ["--flag"], ["$(id)"], ["a\\tb"]])(
    "is never more than a reference: %s",
    async (image) => {
      await expect(sourceOf(harbor(`docker_image = "${image}"`))).rejects.toMatchObject({
        code: "invalid-task",
        message: expect.stringContaining("`environment.docker_image`") as unknown,
      });
    },
  );
});
