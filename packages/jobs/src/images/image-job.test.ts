import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobDefinition } from "@tracemill/aws/control/job-definitions.ts";
import type { TaskFile } from "@tracemill/core/harbor/task-files.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import { runStep } from "@tracemill/core/pipeline/stage-record.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { describe, expect, test } from "vitest";
import { fastClock } from "../../../../test/fakes/fast-clock.ts";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { jsonLog } from "../log.ts";
import { dockerCli } from "./docker.ts";
import { type ImageJobDeps, runImageJob } from "./image-job.ts";

const registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const prefix = "tracemill-test-sandbox-";

/** Notes how it was called, then does what the test's script says for that command. */
const fakeDocker = `#!/bin/sh
{ printf '%s\\n' "$*"; } >> "$HOME/calls"
case "$1" in
  login) cat > "$HOME/login-input" ;;
  build)
    for last; do :; done
    if [ "$last" = - ]; then cat > "$HOME/wrapper"; else cp -r "$last" "$HOME/seen-context"; fi ;;
esac
env | sort > "$HOME/seen-env"
if [ -f "$HOME/script-$1" ]; then . "$HOME/script-$1"; fi
exit 0
`;

interface WorldOptions {
  files?: Record<string, string>;
  /** Shell of what a command of the fake Docker does besides. */
  scripts?: Record<string, string>;
  /** Tags that the registry has. */
  tags?: readonly string[];
}

async function imageWorld(home: string, { files = {}, scripts = {}, tags = [] }: WorldOptions = {}) {
  const bin = join(home, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, "docker"), fakeDocker, { mode: 0o755 });
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(home, `script-${name}`), text);
  const world = await pipelineWorld();
  const folder = taskFiles(files);
  const { deps } = world.process("steps", {
    taskFolders: async function* () {
      yield { path: "built", files: folder };
    },
  });
  for (const step of ["prepare", "plan"] as const) await runStep(world.runId, step, {}, deps);
  const [shard] = (await readPlan(world.runId, world.objects)).shards;
  const environment = shard?.environment ?? "";
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog((line) => lines.push(JSON.parse(line) as Record<string, unknown>), Date.now);
  const stored = new Set(tags.map((tag) => tag.replace("ENV", environment)));
  const registered = new Map<string, JobDefinition>();
  const stopping = new AbortController();
  const jobDeps: ImageJobDeps = {
    objects: world.objects,
    tasks: createTaskLoader(world.objects),
    stack: {
      imageRepository: `${registry}/tracemill-test/tasks`,
      jobs: { sandbox: { queue: "q", definition: prefix } } as ImageJobDeps["stack"]["jobs"],
    },
    images: { missing: async (_, asked) => asked.filter((tag) => !stored.has(tag)) },
    jobs: {
      register: async (definition) => {
        registered.set(definition.jobDefinitionName ?? "", definition as JobDefinition);
        return { arn: `arn:${definition.jobDefinitionName}`, revision: 1 };
      },
    },
    definitions: {
      newest: async (name) => (name === `${prefix}base` ? base : registered.get(name)),
    },
    login: async () => ({ username: "AWS", password: "registry-password" }),
    docker: dockerCli({
      environment: { PATH: `${bin}:${process.env.PATH}`, HOME: home, AWS_SECRET_ACCESS_KEY: "job-secret" },
      log,
      signal: stopping.signal,
    }),
    clock: fastClock(1_000),
    workDir: join(home, "work"),
    log,
  };
  const seen = async (file: string) => readFile(join(home, file), "utf8").catch(() => "");
  const calls = async () => (await seen("calls")).split("\n").filter((line) => line !== "");
  const run = (target = environment) => runImageJob({ runId: world.runId, target }, jobDeps);
  return { run, calls, seen, environment, registered, stored, lines, home, stopping, jobDeps };
}

const base: JobDefinition = {
  jobDefinitionName: `${prefix}base`,
  jobDefinitionArn: "arn:base",
  revision: 3,
  type: "container",
  ecsProperties: {
    taskProperties: [
      {
        containers: [
          { name: "worker", image: "worker:1" },
          { name: "box-0", image: "worker:1", mountPoints: [] },
        ],
      },
    ],
  },
};

function taskFiles(files: Record<string, string>): TaskFile[] {
  const all = {
    "task.toml":
      'schema_version = "1.4"\n[task]\nname = "acme/built"\n[environment]\nbuild_timeout_sec = 30\n',
    "instruction.md": "Do it\n",
    "tests/test.sh": "#!/bin/bash\n",
    ...files,
  };
  return Object.entries(all).map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0o644 }));
}

const dockerfile = {
  "environment/Dockerfile": "FROM debian:bookworm\n",
  "environment/data/words.txt": "pear\n",
};

describe("the image of an environment", () => {
  test("is built of its Dockerfile and pushed, and a job definition uses it", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile });
    await world.run();
    const reference = `${registry}/tracemill-test/tasks:env-${world.environment}`;
    const [login, build, wrap, push, ...rest] = await world.calls();
    expect(login).toBe(`login --username AWS --password-stdin ${registry}`);
    expect(build).toMatch(
      new RegExp(`^build --platform linux/amd64 --tag tracemill-built:${world.environment} /`),
    );
    expect(wrap).toBe(`build --platform linux/amd64 --tag ${reference} -`);
    expect(push).toBe(`push ${reference}`);
    expect(rest).toEqual([]);
    expect(await world.seen("login-input")).toBe("registry-password");
    expect(await world.seen("seen-context/data/words.txt")).toBe("pear\n");
    expect(await world.seen("wrapper")).toBe(
      `FROM tracemill-built:${world.environment}\nENTRYPOINT []\nCMD []\n`,
    );
    const [task] = world.registered.get(`${prefix}${world.environment}`)?.ecsProperties?.taskProperties ?? [];
    expect(task?.containers?.map(({ image }) => image)).toEqual(["worker:1", ...Array(9).fill(reference)]);
  });

  test("is built without the job's credentials, and leaves nothing behind", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile });
    await world.run();
    expect(await world.seen("seen-env")).toContain("DOCKER_CONFIG=");
    expect(await world.seen("seen-env")).not.toMatch(/AWS_|job-secret/);
    expect(JSON.stringify(world.lines)).not.toContain("registry-password");
    expect(await readdir(join(dir.path, "work"))).toEqual([]);
  });

  test("that no task of the run has is refused", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path);
    await expect(world.run("env_none")).rejects.toThrow(/has no task with the environment env_none/);
  });

  test("of a task without a Dockerfile is the worker's own system", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path);
    await world.run();
    expect(await world.seen("wrapper")).toMatch(/^FROM worker:1\n/);
    expect((await world.calls()).filter((call) => call.startsWith("build"))).toHaveLength(1);
  });

  test("that is there already is not built again", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile, tags: ["env-ENV"] });
    await world.run();
    expect(await world.calls()).toEqual([]);
    expect([...world.registered.keys()]).toEqual([`${prefix}${world.environment}`]);
    const name = `${prefix}${world.environment}`;
    const first = { ...base, jobDefinitionName: "first", tags: { "tracemill:base-revision": "3" } };
    world.registered.set(name, first);
    await world.run();
    expect(world.registered.get(name)).toBe(first);
  });

  test("gets a new definition, with the stage's new worker, when the stage was deployed again", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile, tags: ["env-ENV"] });
    const name = `${prefix}${world.environment}`;
    world.registered.set(name, { ...base, tags: { "tracemill:base-revision": "2" } });
    await world.run();
    expect(world.registered.get(name)).toMatchObject({ tags: { "tracemill:base-revision": "3" } });
  });

  test("that somebody else pushed meanwhile is taken", async () => {
    await using dir = await tempDir();
    const scripts = {
      push: 'echo "tag invalid: The image tag already exists and cannot be overwritten"; exit 1',
    };
    const world = await imageWorld(dir.path, { files: dockerfile, scripts });
    world.jobDeps.images.missing = async () => ((await world.calls()).length === 0 ? ["env"] : []);
    await world.run();
    expect(world.registered.size).toBe(1);
  });

  test("that does not build fails with the failing line", async () => {
    await using dir = await tempDir();
    const scripts = {
      build: `cat <<'END' >&2
#6 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [2/2] RUN make:
0.100 make: *** No targets specified and no makefile found.  Stop.
------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
END
exit 1`,
    };
    const world = await imageWorld(dir.path, { files: dockerfile, scripts });
    await expect(world.run()).rejects.toMatchObject({
      code: "sandbox-failed",
      retryable: false,
      message:
        'building environment/Dockerfile of task acme/built: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2; last output: make: *** No targets specified and no makefile found.  Stop.',
    });
    expect(world.registered.size).toBe(0);
    expect(world.lines.filter(({ message }) => message === "docker")).toHaveLength(6);
  });

  test("is pushed again when the registry is busy, and later when it stays so", async () => {
    await using dir = await tempDir();
    const scripts = { push: 'echo "error: toomanyrequests: Rate exceeded"; exit 1' };
    const world = await imageWorld(dir.path, { files: dockerfile, scripts });
    await expect(world.run()).rejects.toMatchObject({ code: "sandbox-failed", retryable: true });
    expect((await world.calls()).filter((call) => call.startsWith("push"))).toHaveLength(3);
  });

  test("that takes longer than its task allows is given up", async () => {
    await using dir = await tempDir();
    const toml =
      'schema_version = "1.4"\n[task]\nname = "acme/built"\n[environment]\nbuild_timeout_sec = 0.3\n';
    const files = { ...dockerfile, "task.toml": toml };
    const world = await imageWorld(dir.path, { files, scripts: { build: "exec sleep 60" } });
    await expect(world.run()).rejects.toThrow(/not done after 0.3 s \(`environment.build_timeout_sec`/);
  });

  test("is not waited for any longer when the job is told to stop", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile, scripts: { build: "exec sleep 60" } });
    setTimeout(() => world.stopping.abort(), 300);
    await expect(world.run()).rejects.toMatchObject({ code: "cancelled" });
  });

  test("wants a stage that was deployed with it", async () => {
    await using dir = await tempDir();
    const world = await imageWorld(dir.path, { files: dockerfile });
    world.jobDeps.definitions.newest = async () => undefined;
    await expect(world.run()).rejects.toThrow(
      /no job definition tracemill-test-sandbox-base; deploy the stage again/,
    );
  });
});

test("a machine without Docker is said to be one", async () => {
  await using dir = await tempDir();
  const log = jsonLog(() => undefined, Date.now);
  const { signal } = new AbortController();
  const docker = dockerCli({ environment: { PATH: dir.path }, log, signal, program: "no-such-docker" });
  await expect(docker({ doing: "building", args: ["build"], configDir: dir.path })).rejects.toMatchObject({
    code: "sandbox-unavailable",
  });
});
