import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { jsonLinesBody } from "@tracemill/core/stored-json.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jsonLines, startTracemill, tracemill, type UserMachine, userMachine } from "../e2e/tracemill.ts";
import { clientOptions, deployTemplate } from "../emulators/peer/stack.ts";
import { type Peer, startPeer } from "../emulators/peer/start.ts";
import { until } from "../emulators/peer/until.ts";
import { stackInfo } from "../emulators/stack-info.ts";
import { pythonMissing } from "../emulators/venv.ts";
import { fixtureTrial, writeRun } from "../fakes/run-fixture.ts";
import { cliStage, waitingJob } from "./cli-stage.ts";

const missing = await pythonMissing();

const host = { queue: "cli-host", definition: "cli-host" };

describe.skipIf(missing !== undefined)(
  `the command line on AWS${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let peer: Peer;
    let machine: UserMachine;

    beforeAll(async () => {
      peer = await startPeer({ programs: [waitingJob], stopGraceSeconds: 1 });
      const info = stackInfo({
        stateMachineArn: "arn:aws:states:us-east-1:123456789012:stateMachine:cli",
        ingestDeadLettersUrl: `${peer.endpoint}/123456789012/cli-dead`,
        jobs: { step: host, container: host, host, sandbox: { ...host, definition: "cli-" }, image: host },
      });
      await deployTemplate(peer, "cli", cliStage(info));
    }, 300_000);
    afterAll(() => peer.close());
    beforeEach(async () => {
      machine = await userMachine({ ...peer.env, TRACEMILL_STAGE: "ci" });
      await mkdir(join(machine.dir, "tasks"));
    });
    afterEach(() => machine[Symbol.asyncDispose]());

    function stores() {
      const objects = s3ObjectStore({ client: s3Client(clientOptions(peer)), bucket: "tracemill-ci" });
      const records = dynamoRecordStore({
        client: dynamodbClient(clientOptions(peer)),
        table: "tracemill-ci",
      });
      return { objects, records };
    }

    async function task(name: string, toml = ""): Promise<void> {
      const dir = join(machine.dir, "tasks", name);
      for (const folder of ["environment", "tests", "solution"])
        await mkdir(join(dir, folder), { recursive: true });
      await writeFile(join(dir, "task.toml"), `version = "1.0"\n${toml}`);
      await writeFile(join(dir, "instruction.md"), "Do it.\n");
      await writeFile(join(dir, "environment/Dockerfile"), "FROM debian:bookworm\n");
      await writeFile(join(dir, "tests/test.sh"), "echo 1 > /logs/verifier/reward.txt\n");
      await writeFile(join(dir, "solution/solve.sh"), "true\n");
    }

    async function spec(more = "", agents = "[{ name: oracle }]"): Promise<string> {
      const file = join(machine.dir, "spec.yaml");
      await writeFile(file, `name: small\ntasks: [./tasks]\nagents: ${agents}\n${more}`);
      return file;
    }

    const rowsOf = (name: string) => tracemill(machine, name, "--on", "aws", "--json");

    describe("before a run starts", () => {
      test("all that the stage cannot give is said at once, each with what mends it, and nothing is left behind", async () => {
        await task("large", "[environment]\ncpus = 64\nmemory_mb = 999999\n");
        const file = await spec(
          "source: { kind: prod, baseUrl: https://api.example }\nmodels: { mine/model: {} }\n",
          "[{ name: tools, model: mine/model }, { name: terminus, model: openai/gpt-5.2 }]",
        );
        const { code, stderr } = await tracemill(machine, "run", file, "--on", "aws");
        expect(code).toBe(2);
        expect(stderr).toContain("stage ci cannot run this yet; nothing was started:");
        expect(stderr).toMatch(
          /large: wants 64 CPUs; a job of the kind `host` has 4\n +→ raise its size in infra\/stages\/ci\.yaml/,
        );
        expect(stderr).toMatch(/wants 999999 MiB of memory/);
        expect(stderr).toMatch(
          /`models` want a GPU, and stage ci has none\n +→ give it GPUs in infra\/stages\/ci\.yaml/,
        );
        expect(stderr).toMatch(
          /secret PROD_API_TOKEN: has no value yet\n +→ aws secretsmanager put-secret-value --secret-id tracemill\/ci\/PROD_API_TOKEN/,
        );
        expect(stderr).toMatch(/secret OPENAI_API_KEY: has no value yet/);
        expect((await rowsOf("runs")).stdout).toBe("");
        expect(await Array.fromAsync(stores().objects.list(""))).toEqual([]);
      });

      test.each([
        [
          "a stage that is not deployed",
          ["--stage", "absent"],
          /absent is not deployed in us-east-1; deploy it \(`npx sst deploy --stage absent`\)/,
        ],
        ["a name that no stage has", ["--stage", "no stage"], /A stage is a letter/],
        ["a folder that is not there", [], /tasks: not there/],
      ])("%s is an error that says so", async (what, args, message) => {
        if (what.startsWith("a folder")) await rm(join(machine.dir, "tasks"), { recursive: true });
        else await task("one");
        const { code, stderr } = await tracemill(machine, "run", await spec(), "--on", "aws", ...args);
        expect(stderr).toMatch(message);
        expect(code).toBe(2);
      });

      test("a dry run says what would run", async () => {
        await task("one");
        const { code, stdout } = await tracemill(
          machine,
          "run",
          await spec("attempts: 3\n"),
          "--on",
          "aws",
          "--dry-run",
        );
        expect(stdout).toContain("1 tasks, 3 trials in 1 shards");
        expect(code).toBe(0);
        expect((await rowsOf("runs")).stdout).toBe("");
      });

      test("what only AWS has is refused on this machine, with the flag that is missing", async () => {
        await task("one");
        const { code, stderr } = await tracemill(machine, "run", await spec("sandbox: job\n"));
        expect(stderr).toContain("add `--on aws`");
        expect(code).toBe(2);
      });
    });

    test("a run is started with its tasks, watched, cancelled with its jobs, and resumed", async () => {
      await task("one");
      const started = await tracemill(machine, "run", await spec(), "--on", "aws", "--detach", "--json");
      expect(started.stderr).toBe("sent      1 task folders\n");
      const [{ runId = "", execution = "" } = {}] = jsonLines<{ runId: string; execution: string }>(started);
      expect(execution).toBe(`arn:aws:states:us-east-1:123456789012:execution:cli:${runId}-1`);
      const { objects } = stores();
      expect(await objects.head(objectKeys.runFolders(runId))).toBeDefined();
      expect(await Array.fromAsync(objects.list("tasks/"))).toHaveLength(1);
      await untilTrue(async () => (await peer.control.jobs()).some(({ status }) => status === "RUNNING"));

      const status = await tracemill(machine, "status", "--on", "aws");
      expect(status.stdout).toMatch(
        new RegExp(`^${runId} \\(small\\) running\nexecution ${runId}-1 running`),
      );
      expect(status.stdout).toContain(
        "console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:",
      );
      expect(status.stdout).toContain("jobs: 1 running");

      const twice = await tracemill(machine, "resume", runId, "--on", "aws");
      expect(twice.stderr).toContain(`${runId} is at work (execution ${runId}-1)`);

      await untilTrue(async () =>
        (await tracemill(machine, "logs", runId, "--shard", "shd_1")).stdout.includes("shd_1-trace: at work"),
      );
      expect((await tracemill(machine, "logs", runId, "--only", "evaluate")).stdout).toBe("");

      const watching = startTracemill(machine, ["status", runId, "--on", "aws", "--watch"]);
      await sleep(3_000);
      watching.child.kill("SIGINT");
      expect(await watching.finished).toMatchObject({
        code: 130,
        stdout: expect.stringContaining("come back with"),
      });
      expect((await peer.control.jobs()).every(({ status: job }) => job === "RUNNING")).toBe(true);

      const cancelled = await tracemill(machine, "cancel", runId);
      expect(cancelled.stdout).toMatch(
        /\(small\) stopped\ngo on with: tracemill resume run_\w+ --on aws --stage ci\n/,
      );
      expect((await peer.control.jobs()).map(({ status: job }) => job)).toEqual(["FAILED"]);

      const resumed = await tracemill(machine, "resume", runId, "--on", "aws", "--detach", "--json");
      expect(jsonLines<{ execution: string }>(resumed)[0]?.execution).toMatch(/-2$/);
      await tracemill(machine, "cancel", runId);
      expect((await tracemill(machine, "show", runId, "--on", "aws")).stdout).toContain(
        "stopped: cancelled by its user",
      );
    });

    test("doctor --aws says what a stage has and lacks", async () => {
      const { code, stdout } = await tracemill(machine, "doctor", "--aws", "--json");
      const checks = Object.fromEntries(
        jsonLines<{ name: string; status: string; detail: string; remedy?: string }>({ stdout }).map(
          (check) => [check.name, check],
        ),
      );
      expect(checks.identity).toMatchObject({ status: "ok", detail: expect.stringContaining("us-east-1") });
      expect(checks.bucket).toMatchObject({ status: "ok", detail: "tracemill-ci" });
      expect(checks.table).toMatchObject({ status: "ok" });
      expect(checks["state machine"]).toMatchObject({ status: "ok" });
      expect(checks["queue of step, container, host, sandbox, image"]).toMatchObject({
        status: "ok",
        detail: "up to 16 vCPUs, 4 a job",
      });
      expect(checks["secret PROD_API_TOKEN"]).toMatchObject({
        status: "missing",
        remedy: expect.stringContaining("put-secret-value"),
      });
      expect(checks["dead letters of the ingest"]).toMatchObject({ status: "ok", detail: "none" });
      expect(code).toBe(1);
      const absent = await tracemill(machine, "doctor", "--aws", "--stage", "absent");
      expect(absent.stdout).toMatch(/missing {2}stage absent: stage absent is not deployed/);
      expect(absent.code).toBe(1);
    });

    test("a pull that is killed in the middle is finished by the next; a push brings news back", async () => {
      const runId = "run_01ABCDEFGHJKMNPQRSTVWXYZ00";
      const cloud = stores();
      await writeRun({ runId, trials: 60 }, cloud);
      const tasks = Array.from({ length: 60 }, (_, index) => ({
        ...fixtureTrial(runId, index).task,
        references: [],
      }));
      await cloud.objects.put(objectKeys.runTasks(runId), jsonLinesBody(tasks));
      await cloud.objects.put(objectKeys.runShards(runId), Buffer.from("{}"));
      await cloud.objects.put(objectKeys.runSpec(runId), Buffer.from("{}"));
      const row = {
        schemaVersion: 1,
        runId,
        name: "synced",
        specHash: "x",
        createdAt: "2026-01-01T00:00:00.000Z",
      };
      await cloud.records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
      await peer.control.serviceFault({ service: "s3", calls: 40, delayMs: 100 });

      const pull = ["sync", "pull", "--run", "synced"];
      const first = startTracemill(machine, pull);
      const objects = join(machine.home, "objects");
      await untilTrue(async () => (await files(objects)) > 5);
      first.child.kill("SIGKILL");
      await first.finished;
      expect(await files(objects)).toBeLessThan(100);

      const second = await tracemill(machine, ...pull, "--json");
      const [counts] = jsonLines<Record<string, number>>(second);
      expect(counts).toMatchObject({ type: "sync", conflictCount: 0 });
      expect(counts?.same).toBeGreaterThan(0);
      const shown = await tracemill(machine, "show", fixtureTrial(runId, 0).trialId);
      expect(shown.stdout).toContain("attempt 1: task-0 · ");
      const local = openObjectStore(objects);
      const below = `${objectKeys.run(runId)}trials/`;
      expect(await Array.fromAsync(local.list(below))).toEqual(
        await Array.fromAsync(cloud.objects.list(below)),
      );

      const third = await tracemill(machine, ...pull, "--json");
      expect(jsonLines(third)[0]).toMatchObject({ copied: 0, replaced: 0 });
      await local.put("specs/nightly.json", Buffer.from("{}"));
      const pushed = await tracemill(machine, "sync", "push", "--prefix", "specs/", "--json");
      expect(jsonLines(pushed)[0]).toMatchObject({ copied: 1, conflictCount: 0 });
      expect(await cloud.objects.head("specs/nightly.json")).toMatchObject({ size: 2 });
    });
  },
);

async function untilTrue(ask: () => Promise<boolean>): Promise<void> {
  await until(async () => (await ask()) || undefined);
}

async function files(dir: string): Promise<number> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((each) => each.isFile() && !each.parentPath.includes(".tmp")).length;
}
