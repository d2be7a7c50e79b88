import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { expect, test } from "vitest";
import { images } from "./images.ts";
import { Settings } from "./settings.ts";
import { root, stageOf } from "./synthesized.ts";

/** What Docker is given when a stage without prebuilt images is deployed. */
async function contexts() {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-images-"));
  const app = new App({ analyticsReporting: false, outdir: dir });
  const stack = new Stack(app, "Images");
  const made = images(stack, { name: "dev", settings: Settings.parse({}), retain: false, root });
  made.worker("arm64");
  made.worker("arm64");
  made.gpuWorker();
  app.synth();
  const { dockerImages } = JSON.parse(await readFile(join(dir, "Images.assets.json"), "utf8"));
  const sources = Object.values(dockerImages as Record<string, { source: Record<string, string> }>);
  return {
    builds: sources.map(({ source }) => ({ ...source, directory: join(dir, source.directory ?? "") })) as {
      directory: string;
      dockerFile: string;
      platform: string;
    }[],
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

test("Docker gets each Dockerfile with all that it copies, and nothing that changes without it", async () => {
  await using made = await contexts();
  expect(made.builds.map(({ dockerFile, platform }) => [dockerFile, platform]).toSorted()).toEqual([
    ["packages/jobs/Dockerfile", "linux/arm64"],
    ["packages/jobs/gpu.Dockerfile", "linux/amd64"],
  ]);
  for (const { directory, dockerFile } of made.builds) {
    const text = await readFile(join(directory, dockerFile), "utf8");
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = ""]) =>
      sources.split(" "),
    );
    expect(copied.length).toBeGreaterThan(5);
    for (const source of copied) expect(existsSync(join(directory, source)), source).toBe(true);
    for (const absent of ["node_modules", ".git", "docs", "test", "cdk.out", ".tracemill"]) {
      expect(existsSync(join(directory, absent)), absent).toBe(false);
    }
  }
}, 60_000);

test("a prebuilt image in ECR is pulled from its own repository; a public one needs no permission", () => {
  const pullOf = (workerImage: string) => {
    const stack = new Stack(new App({ analyticsReporting: false }), "Images");
    const { pull } = images(stack, stageOf("dev", { workerImage })).worker("amd64");
    return pull.map((statement) => stack.resolve(statement.toStatementJson()));
  };
  expect(pullOf("public.ecr.aws/docker/library/node:24")).toEqual([]);
  const [layers, login] = pullOf("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/worker:7");
  expect(JSON.stringify(layers.Resource)).toContain(":ecr:eu-central-1:123456789012:repository/team/worker");
  expect(login).toMatchObject({ Action: "ecr:GetAuthorizationToken", Resource: "*" });
});
