/**
 * Runs every solution of the demo's content in sandboxes and holds it against what the content says: each
 * observation, each reward, and that a task is solved by its reference solution and not from the start.
 *
 *   npx node examples/demo/verify-content.ts             checks
 *   npx node examples/demo/verify-content.ts --record    writes the observations into content/*.yaml
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { openTools } from "@tracemill/agents/tools/registry.ts";
import { unpackTask } from "@tracemill/core/harbor/archive.ts";
import { type HarborTask, readHarborTask } from "@tracemill/core/harbor/task.ts";
import type { LoadedTask } from "@tracemill/core/ports/agent.ts";
import type { Sandbox, SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { prepareRow } from "@tracemill/core/prepare/row.ts";
import { RawRow } from "@tracemill/core/production/schemas.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { finalAnswer, sameAnswer } from "@tracemill/core/scenario/answer.ts";
import { readScenario } from "@tracemill/core/scenario/scenario.ts";
import { sandboxSpecOf } from "@tracemill/core/trial/environment.ts";
import { carriedIntoVerification } from "@tracemill/core/workspace/carry.ts";
import { isMap, isSeq, parseDocument, Scalar, type YAMLMap } from "yaml";
import { memoryObjectStore } from "../../test/fakes/memory-stores.ts";
import { contentCatalog } from "./catalog.ts";
import {
  contentDir,
  contentFiles,
  type DemoSolution,
  type DemoStep,
  type DemoTask,
  readContent,
} from "./content.ts";
import { callOf } from "./forms.ts";

/** `<solution id>/<step index>` to what came back. */
export type Observations = Map<string, string>;

export interface ContentReport {
  checked: number;
  problems: string[];
  observations: Observations;
}

const spec = parseRunSpec(
  { name: "demo-check", tasks: ["."], agents: [{ name: "nop" }], network: "none" },
  "demo-check",
);

/** Checks all tasks, one after the other. */
export async function checkContent(
  sandboxes: SandboxProvider,
  log: (line: string) => void,
): Promise<ContentReport> {
  const report: ContentReport = { checked: 0, problems: [], observations: new Map() };
  const content = await readContent();
  for (const task of content) {
    const known = report.problems.length;
    await checkTask(task, await load(task, content), sandboxes, report);
    for (const problem of report.problems.slice(known)) log(`${task.id}: ${problem}`);
  }
  return report;
}

/** The task as the pipeline gets it from the API. */
async function load(task: DemoTask, content: readonly DemoTask[]): Promise<LoadedTask> {
  const catalog = contentCatalog(content);
  const row = {
    task: await catalog.task(task.id),
    solutions: await catalog.solutions(task.id),
    fetched_at: "",
  };
  const origin = { source: "demo", snapshotId: "check" };
  const deps = { objects: memoryObjectStore(), alone: <T>(work: () => Promise<T>) => work() };
  const prepared = await prepareRow(RawRow.parse(row), origin, deps);
  if (prepared.task === undefined || prepared.problems.length > 0)
    throw new Error(JSON.stringify(prepared.problems));
  const files = await unpackTask(prepared.task.archive, task.id);
  return prepared.task.ref.kind === "harbor"
    ? { kind: "harbor", harbor: readHarborTask(files, task.id) }
    : { kind: "scenario", scenario: readScenario(files, task.id) };
}

async function checkTask(
  task: DemoTask,
  loaded: LoadedTask,
  sandboxes: SandboxProvider,
  report: ContentReport,
): Promise<void> {
  if (loaded.kind === "harbor") report.problems.push(...(await checkHarborTask(loaded.harbor, sandboxes)));
  for (const solution of task.solutions) {
    report.checked += 1;
    const reward = await play(task, solution, loaded, sandboxes, report);
    if (reward !== solution.reward)
      report.problems.push(`${solution.id} gets ${reward}, not ${solution.reward}`);
  }
}

/** Its tests must tell an untouched workspace from a solved one. */
async function checkHarborTask(harbor: HarborTask, sandboxes: SandboxProvider): Promise<string[]> {
  const problems: string[] = [];
  const loaded: LoadedTask = { kind: "harbor", harbor };
  if ((await inSandbox(loaded, sandboxes, async () => {})) === 1) problems.push("is solved from the start");
  if (!harbor.hasSolution) return problems;
  const files = harbor.files.filter(({ path }) => path.startsWith("solution/"));
  const solved = await inSandbox(loaded, sandboxes, async (sandbox) => {
    await sandbox.writeFiles(files.map((file) => ({ ...file, path: `/${file.path}` })));
    const { stdout, stderr, exitCode } = await sandbox.exec(["/bin/bash", "/solution/solve.sh"]);
    if (exitCode !== 0) problems.push(`its reference solution exits with ${exitCode}: ${stdout}${stderr}`);
  });
  if (solved !== 1) problems.push(`its reference solution gets ${solved}`);
  return problems;
}

async function play(
  task: DemoTask,
  solution: DemoSolution,
  loaded: LoadedTask,
  sandboxes: SandboxProvider,
  { observations, problems }: Pick<ContentReport, "observations" | "problems">,
): Promise<number | undefined> {
  const reward = await inSandbox(loaded, sandboxes, async (sandbox) => {
    await using resources = new AsyncDisposableStack();
    const callTool = openTools({ sandbox, resources, signal: new AbortController().signal });
    for (const [index, step] of solution.steps.entries()) {
      const call = callOf(step);
      if (call === undefined) continue;
      const { output, available } = await callTool({
        id: "call",
        name: call.tool,
        arguments: call.arguments,
      });
      if (!available) continue;
      if (step.stale === undefined) observations.set(`${solution.id}/${index}`, output);
      const problem = observationProblem(step, output);
      if (problem !== undefined) problems.push(`${solution.id}, step ${index + 1}: ${problem}`);
    }
  });
  if (loaded.kind === "harbor" || task.expected_answer === undefined) return reward;
  const answer = finalAnswer(solution.steps.at(-1)?.message ?? "");
  return answer !== undefined && sameAnswer(task.expected_answer, answer) ? 1 : 0;
}

/** A replay is to differ where the content says so, and nowhere else. */
function observationProblem({ observation, stale }: DemoStep, output: string): string | undefined {
  const isSame = observation?.trimEnd() === output.trimEnd();
  if (isSame) return stale === undefined ? undefined : "is not stale";
  return stale === undefined ? `answers ${JSON.stringify(output)}` : undefined;
}

/** Works in one sandbox and runs the tests over its workspace in another. */
async function inSandbox(
  loaded: LoadedTask,
  sandboxes: SandboxProvider,
  work: (sandbox: Sandbox) => Promise<void>,
): Promise<number | undefined> {
  const agents = await sandboxes.create(sandboxSpecOf(loaded, "agent", spec, "demo-check"));
  try {
    await work(agents);
    return loaded.kind === "harbor" ? await verify(loaded.harbor, agents, sandboxes) : undefined;
  } finally {
    await agents.close();
  }
}

async function verify(harbor: HarborTask, agents: Sandbox, sandboxes: SandboxProvider): Promise<number> {
  const sandbox = await sandboxes.create(
    sandboxSpecOf({ kind: "harbor", harbor }, "verifier", spec, "demo-check"),
  );
  try {
    const changes = agents.diff({ exclude: ["/tests", "/solution", "/logs"] });
    const { tar } = carriedIntoVerification(changes, { baseHas: (path) => sandbox.baseHas(path) });
    await sandbox.applyWorkspace(tar);
    const tests = harbor.files.filter(({ path }) => path.startsWith("tests/"));
    await sandbox.writeFiles(tests.map((file) => ({ ...file, path: `/${file.path}` })));
    await sandbox.exec(["/bin/bash", "-c", "mkdir -p /logs/verifier; /tests/test.sh"]);
    const reward = await sandbox.readFile("/logs/verifier/reward.txt");
    return reward === undefined ? Number.NaN : Number(Buffer.from(reward).toString());
  } finally {
    await sandbox.close();
  }
}

const layout = { lineWidth: 110, flowCollectionPadding: false, doubleQuotedMinMultiLineLength: 1_000 };

/** Writes observations into the content's files; comments and everything else stay. */
export async function recordObservations(observations: Observations): Promise<void> {
  for (const name of await contentFiles()) {
    const path = join(contentDir, name);
    const document = parseDocument(await readFile(path, "utf8"));
    const tasks = isSeq<YAMLMap>(document.contents) ? document.contents.items : [];
    for (const solution of tasks.flatMap((task) => mapsIn(task, "solutions"))) {
      for (const [index, step] of mapsIn(solution, "steps").entries()) {
        const observation = observations.get(`${String(solution.get("id"))}/${index}`);
        if (observation !== undefined) step.set("observation", textNode(observation));
      }
    }
    await writeFile(path, document.toString(layout));
  }
}

function mapsIn(parent: YAMLMap, key: string): YAMLMap[] {
  const list = parent.get(key);
  return isSeq(list) ? list.items.filter((item) => isMap(item)) : [];
}

function textNode(text: string): Scalar<string> {
  const node = new Scalar(text);
  // Left to itself, the writer folds long texts and escapes what is easier to read as it is.
  if (!text.includes("\r") && (text.includes("\n") || text.length > 60)) node.type = Scalar.BLOCK_LITERAL;
  return node;
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-demo-check-"));
  try {
    const sandboxes = namespaceSandboxes({ dir: join(dir, "sandboxes"), cacheDir: join(dir, "layers") });
    const { checked, problems, observations } = await checkContent(sandboxes, console.log);
    if (process.argv.includes("--record")) await recordObservations(observations);
    console.log(`${checked} solutions checked, ${problems.length} problems`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
