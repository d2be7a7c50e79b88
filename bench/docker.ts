import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { composeVersion } from "@tracemill/agents/sandbox/docker/compose/docker-cli.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import { baseImage, dockerAt, openDockerEngine } from "../test/emulators/docker-engine.ts";
import { pythonMissing, pythonVenv } from "../test/emulators/venv.ts";
import { compare, missing, report } from "./report.ts";
import { tracemill } from "./tracemill.ts";

const trials = 20;
const concurrency = 4;
const requirement = "harbor==0.24.0";
/** It wants Python 3.12. */
const pythonMinor = 12;

/** Harbor needs 88 s where this was first measured, with 2 cores: a tenth of that. */
const goalSeconds = 8.8;

/** A one-line task: write a file, look whether it is there. All of them are built from the same image. */
const task: Record<string, string> = {
  "task.toml": 'schema_version = "1.4"\n',
  "instruction.md": "Write hello to hello.txt\n",
  "environment/Dockerfile": `FROM ${baseImage}\nWORKDIR /app\n`,
  "solution/solve.sh": "#!/bin/bash\necho hello > /app/hello.txt\n",
  "tests/test.sh": "#!/bin/bash\n[ -f /app/hello.txt ] && echo 1 > /logs/verifier/reward.txt\n",
};

/** Oracle trials of a one-line task in Docker, from the command line to the results, against Harbor with the same. */
export async function benchDocker(): Promise<void> {
  const what = `${trials} oracle trials in Docker (${concurrency} at once)`;
  const engine = await openDockerEngine();
  if ("missing" in engine) return missing(what, engine.missing);
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    await writeTasks(join(dir, "one"), 1);
    await writeTasks(join(dir, "tasks"), trials);
    const ours = await measureOurs(dir, engine.host);
    report(what, ours, "s", { atMost: goalSeconds });
    const theirs = await measureHarbor(dir, engine.host);
    if (typeof theirs === "string") return missing("the same by Harbor 0.24", theirs);
    compare(what, ours, theirs, "s", "Harbor 0.24", 10);
  } finally {
    await rm(dir, { recursive: true, force: true });
    await engine.close();
  }
}

async function writeTasks(dir: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    for (const [path, text] of Object.entries(task)) {
      const file = join(dir, `hello-${index}`, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, path === "instruction.md" ? `${text}\nThis is number ${index}.\n` : text);
      if (path.endsWith(".sh")) await chmod(file, 0o755);
    }
  }
}

/** Seconds, once the image is built. */
async function measureOurs(dir: string, host: string): Promise<number> {
  const home = join(dir, "home");
  const env = { DOCKER_HOST: host };
  const run = async (tasks: string, count: number): Promise<number> => {
    const spec = join(dir, `${tasks}.json`);
    const agents = [{ name: "oracle" }];
    const text = { name: tasks, tasks: [join(dir, tasks)], agents, sandbox: "docker", concurrency };
    await writeFile(spec, JSON.stringify(text));
    const { ms } = await tracemill(home, ["run", spec], env);
    const { stdout } = await tracemill(home, ["report", "--json"]);
    const { outcomes } = JSON.parse(stdout).agents[0];
    if (outcomes.scored !== count) throw new Error(`not all were scored: ${JSON.stringify(outcomes)}`);
    return ms / 1_000;
  };
  await mkdir(home);
  await run("one", 1);
  return run("tasks", trials);
}

/** Seconds, once the image is built, or why there is no figure. */
async function measureHarbor(dir: string, host: string): Promise<number | string> {
  const why = await pythonMissing(pythonMinor);
  if (why !== undefined) return why;
  if ((await composeVersion(dockerAt(host))) === undefined) return "Docker's compose plugin is not installed";
  let bin: string;
  try {
    ({ bin } = await pythonVenv([requirement], pythonMinor));
  } catch (error) {
    return `pip could not install ${requirement}: ${messageOf(error).slice(0, 200)}`;
  }
  await harbor(bin, dir, host, "one");
  const startedAt = performance.now();
  const rewarded = await harbor(bin, dir, host, "tasks");
  if (rewarded !== trials) return `Harbor gave ${rewarded} rewards for ${trials} trials`;
  return (performance.now() - startedAt) / 1_000;
}

/** @returns how many trials have a reward. */
async function harbor(bin: string, dir: string, host: string, tasks: string): Promise<number> {
  const jobs = join(dir, `jobs-${tasks}`);
  const args = ["run", "-p", join(dir, tasks), "-a", "oracle", "-n", String(concurrency), "-o", jobs];
  // Its list of model prices comes from the network otherwise.
  const env = { ...process.env, DOCKER_HOST: host, LITELLM_LOCAL_MODEL_COST_MAP: "True" };
  const child = spawn(join(bin, "harbor"), args, { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    });
  }
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`harbor run ended with ${code}: ${said}`);
  const files = await readdir(jobs, { recursive: true });
  const rewards = files.filter((file) => file.endsWith("verifier/reward.txt"));
  const texts = await Promise.all(rewards.map((file) => readFile(join(jobs, file), "utf8")));
  return texts.filter((text) => text.trim() === "1").length;
}
