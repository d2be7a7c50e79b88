import { describe, expect, test } from "vitest";
import { content, touch } from "../../../../test/fakes/ingest-bench.ts";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { testToken } from "../../../../test/servers/production-client.ts";
import { ingestStep, prepareStep } from "./handlers.ts";

describe("a run over what its own ingest found to be new or changed", () => {
  test("loses nothing of it when the step is killed at its end, and done again", async () => {
    await using api = await startProductionApi(content(5));
    const world = await pipelineWorld({ spec: { tasks: [], source: { kind: "prod", take: "changed" } } });
    const { deps } = world.process("a", { fetch, production: { baseUrl: api.url, token: testToken } });
    const night = async (runId: string) => {
      await ingestStep(runId, {}, deps);
      const again = await ingestStep(runId, {}, deps);
      return prepareStep(runId, { ingest: again }, deps);
    };
    expect(await night("run-1")).toMatchObject({ tasks: 5, repeated: 0 });
    touch(api, "t3", "2025-12-01T00:00:00Z");
    (api.tasks[3] as { prompt: string }).prompt = "another";
    expect(await night("run-2")).toMatchObject({ tasks: 1, repeated: 0 });
    expect(await night("run-3")).toMatchObject({ tasks: 0 });
  });
});
