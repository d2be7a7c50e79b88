import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pythonMissing, pythonVenv } from "../test/emulators/venv.ts";
import { startProductionApi } from "../test/servers/production-api.ts";
import { completion, scriptedModel } from "../test/servers/scripted-model.ts";
import { type BenchArgs, compare, missing, note, report } from "./report.ts";
import { tracemill } from "./tracemill.ts";

/** Questions, each asked ten times. */
const questions = 1_000;
const samples = 10;
const trials = questions * samples;

/** Inspect AI takes three minutes for 10,000: a tenth will do for its time per sample. */
const fewQuestions = 100;

const requirements = ["inspect-ai==0.3.285", "openai==2.54.0", "tiktoken==0.14.0"];

/** What Inspect AI's mock model says when it is not told what to say. */
const answer = "Default output from mockllm/model";

/**
 * Trials that cost nothing but their bookkeeping, as processes: a question, an answer that is ready, a comparison, and
 * everything recorded. What a run of one trial takes is taken off, for starting is not what is measured.
 */
export async function benchInspect({ large }: BenchArgs): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    const recordedMs = await measureOurs(join(dir, "recorded"), [{ name: "recorded" }]);
    report(`recorded solutions: a trial of ${trials}`, recordedMs, "ms", { atMost: 2 });
    await using model = await scriptedModel(() => completion({ content: answer }));
    const options = { baseUrl: model.baseUrl };
    const askedMs = await measureOurs(join(dir, "asked"), [{ name: "tools", model: "mock", options }]);
    note(`a model asked over HTTP: a trial of ${trials}`, askedMs, "ms");
    const count = large ? questions : fewQuestions;
    const theirsMs = await measureInspect(join(dir, "inspect"), count);
    const their = `Inspect AI, mock model (${count * samples})`;
    if (typeof theirsMs === "string") return missing(their, theirsMs);
    compare("recorded solutions: a trial", recordedMs, theirsMs, "ms", their, 9);
    // Asking over HTTP is more than the mock model does: shown, and no goal.
    compare("a model asked over HTTP: a trial", askedMs, theirsMs, "ms", their);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Milliseconds a trial of `tracemill run`, from a snapshot to results. */
async function measureOurs(dir: string, agents: readonly object[]): Promise<number> {
  const run = async (count: number, attempts: number): Promise<number> => {
    const home = join(dir, `home-${count}`);
    await mkdir(home, { recursive: true });
    await ingestQuestions(home, count);
    const spec = join(home, "spec.json");
    const tasks = ["snapshot:prod"];
    await writeFile(spec, JSON.stringify({ name: "bench", tasks, agents, attempts, concurrency: 8 }));
    const { ms } = await tracemill(home, ["run", spec]);
    const { stdout } = await tracemill(home, ["report", "--json"]);
    const { outcomes } = JSON.parse(stdout).agents[0];
    if (outcomes.scored !== count * attempts)
      throw new Error(`not all were scored: ${JSON.stringify(outcomes)}`);
    return ms;
  };
  const one = await run(1, 1);
  return ((await run(questions, samples)) - one) / (trials - 1);
}

async function ingestQuestions(home: string, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_unused, index) => `q${index}`);
  await using api = await startProductionApi({
    tasks: ids.map((id) => ({ id, prompt: `Question ${id}?`, expected_answer: answer, status: "done" })),
    solutions: Object.fromEntries(
      ids.map((id) => [id, [{ id: `s-${id}`, answer, evaluation: { status: "passed", score: 1 } }]]),
    ),
  });
  const env = { TRACEMILL_PROD_BASE_URL: api.url, TRACEMILL_PROD_API_TOKEN: "secret-token" };
  await tracemill(home, ["ingest"], env);
}

/** Inspect AI counts tokens with encodings that it loads from the network; words will do for a mock model. */
const stub = `import tiktoken
class Words:
    def encode(self, text, **_):
        return text.split()
tiktoken.get_encoding = lambda *_: Words()
tiktoken.encoding_for_model = lambda *_: Words()
`;

const evalFile = (count: number) => `from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate

@task
def bench():
    samples = [Sample(input=f"Question {i}?", target="${answer}", id=i) for i in range(${count})]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match())
`;

/** Milliseconds a sample of `inspect eval` on its mock model, or why there are none. */
async function measureInspect(dir: string, count: number): Promise<number | string> {
  const why = await pythonMissing();
  if (why !== undefined) return why;
  let bin: string;
  try {
    ({ bin } = await pythonVenv(requirements));
  } catch (error) {
    return `pip could not install ${requirements[0]}: ${error instanceof Error ? error.message.slice(0, 200) : error}`;
  }
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "sitecustomize.py"), stub);
  const run = async (questionCount: number, epochs: number): Promise<number> => {
    // Inspect AI under Python 3.11 takes a path below its working directory only.
    const file = `bench_${questionCount}.py`;
    await writeFile(join(dir, file), evalFile(questionCount));
    const startedAt = performance.now();
    const flags = ["--model", "mockllm/model", "--epochs", String(epochs), "--display", "none"];
    const { status, stderr, stdout } = spawnSync(join(bin, "inspect"), ["eval", file, ...flags], {
      cwd: dir,
      env: { ...process.env, PYTHONPATH: dir, INSPECT_LOG_DIR: join(dir, "logs") },
      encoding: "utf8",
    });
    if (status !== 0)
      throw new Error(`inspect eval ended with ${status}: ${stderr}${stdout}`.slice(0, 2_000));
    return performance.now() - startedAt;
  };
  const one = await run(1, 1);
  return ((await run(count, samples)) - one) / (count * samples - 1);
}
