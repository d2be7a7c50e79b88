import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { chooseSandbox } from "@tracemill/agents/sandbox/choose.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { sha256Hex } from "@tracemill/core/ids.ts";
import { recordKeys } from "@tracemill/core/keys.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { createRun, findNewest } from "@tracemill/core/run/runs.ts";
import { parseRunSpec, type RunSpec, specHash } from "@tracemill/core/run/spec.ts";
import { Command } from "commander";
import type { CliContext, LocalHome } from "../context.ts";
import { openSandboxes } from "../deps.ts";
import { atLeast } from "../flag-values.ts";
import { demoPrograms } from "../programs.ts";
import type { LocalSandbox } from "../spec-check.ts";
import { execute, reportFinished } from "./run.ts";

const help = `
Examples:
  tracemill demo
  tracemill demo --rollouts ./rollouts

Starts a small production API on this machine, mirrors it, turns its rows into tasks, runs each task's own
solution and replays the recorded ones in sandboxes, verifies everything, and exports a dataset. Nothing
leaves this machine. Run again, it says what is there already; after an interruption it goes on.`;

export function demoCommand(context: CliContext): Command {
  return new Command("demo")
    .description("run the whole pipeline over a small production API that comes with it")
    .option("--rollouts <dir>", "serve a folder of recorded rollouts (*.jsonl) instead")
    .option("--concurrency <n>", "trials at once", atLeast(1), 4)
    .option("--json", "events as JSON lines")
    .addHelpText("after", help)
    .action((options: { rollouts?: string; concurrency: number }) => demo(options, context));
}

async function demo(options: { rollouts?: string; concurrency: number }, context: CliContext): Promise<void> {
  const startedAt = context.clock.now();
  const sandbox = await demoSandbox(context);
  const spec = await demoSpec(options, sandbox.name);
  const home = await context.openHome();
  try {
    const earlier = await latestDemo(spec, home);
    if (earlier?.status === "finished") {
      context.out.text(`everything is done already: ${earlier.runId} finished at ${earlier.finishedAt}`);
      await reportFinished(earlier, home, context);
      context.out.text(`time: ${formatDuration(context.clock.now() - startedAt)}`);
    } else {
      requireSandbox(sandbox);
      await runDemo(spec, earlier, options.rollouts, home, context);
    }
    if (context.exitCode === 0) context.out.text(explanation(spec));
  } finally {
    await home.close();
  }
}

const intro = `A small production API on this machine is mirrored, its rows become tasks, the
tasks run in sandboxes, and what passed becomes a dataset. Nothing leaves this
machine.
`;

/** What each agent of the demo does, for somebody who has read nothing yet. */
const aboutAgents: Record<string, string> = {
  oracle: "runs each task's own solution: can the task be solved?",
  replay: "plays each recorded solution again: does it really pass?",
  recorded: "takes recorded solutions with the source's own verdict, unchecked",
};

function explanation({ agents }: RunSpec): string {
  const about = agents.map(({ name }) => `  ${name.padEnd(10)} ${aboutAgents[name] ?? ""}`);
  return `
How to read it
${about.join("\n")}
  claims     what the source said of its solutions, held against the real runs
  dataset    train, val and test files, and README.md about them

What to do next
  npm run tracemill -- show latest --trials   each trial with its outcome
  npm run tracemill -- show TRIAL             one of them: attempts, differences
  npm run tracemill -- run examples/pipelines/folder.yaml   tasks of your own
  README.md and docs/ say how to mirror your own production API`;
}

async function runDemo(
  spec: RunSpec,
  earlier: RunRecord | undefined,
  rollouts: string | undefined,
  home: LocalHome,
  context: CliContext,
): Promise<void> {
  const token = `demo-${crypto.randomUUID()}`;
  const api = await startApi({ token, ...(rollouts === undefined ? {} : { rollouts }) }, spec, home);
  try {
    context.out.text(`${intro}\nproduction API: ${api.url}`);
    const run = earlier ?? (await createRun(spec, { ...home, clock: context.clock }));
    await execute(
      {
        run,
        spec,
        resumed: earlier !== undefined,
        production: { baseUrl: api.url, token },
        goOn: "the same command again",
      },
      home,
      context,
    );
  } finally {
    await api.close();
  }
}

/**
 * Starts the API at the address that this home's demo always has, so that an interrupted ingest finds its source
 * again. When that address is taken by another program, an unfinished ingest is begun anew at another one.
 */
async function startApi(
  options: { token: string; rollouts?: string },
  spec: RunSpec,
  home: LocalHome,
): Promise<{ url: string; close(): Promise<void> }> {
  const { startDemoApi } = await demoServer();
  const port = 20_000 + (Number.parseInt(sha256Hex(home.dir).slice(0, 8), 16) % 12_000);
  try {
    return await startDemoApi({ ...options, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    await home.records.delete(recordKeys.cursor(spec.source?.name ?? spec.name), "any");
    return startDemoApi(options);
  }
}

/** The server is an example, beside the packages: it is loaded only when the demo runs. */
async function demoServer(): Promise<typeof import("../../../../examples/demo/server.ts")> {
  try {
    return await import("../../../../examples/demo/server.ts");
  } catch (error) {
    throw new TracemillError("not-found", `examples/demo cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The demo's run. A folder of rollouts gives a run of its own, and another one when the folder changes. */
async function demoSpec(
  { rollouts, concurrency }: { rollouts?: string; concurrency: number },
  sandbox: LocalSandbox,
): Promise<RunSpec> {
  const shared = {
    sandbox,
    concurrency,
    export: {
      formats: ["sft", "harbor", "trials"],
      splits: { train: 0.8, val: 0.1, test: 0.1 },
      seed: 7,
    },
  };
  if (rollouts === undefined) {
    const agents = [{ name: "oracle" }, { name: "replay" }];
    return namedSpec("demo", { ...shared, agents, export: { ...shared.export, minReward: 1 } });
  }
  const agents = [{ name: "replay" }, { name: "recorded" }];
  return namedSpec(`rollouts-${await fingerprint(rollouts)}`, { ...shared, agents });
}

function namedSpec(name: string, rest: { export: object; [key: string]: unknown }): RunSpec {
  const source = { kind: "prod", name };
  return parseRunSpec({ name, source, ...rest, export: { name, ...rest.export } }, "demo");
}

/** Names a folder by what it holds: its files' names and sizes. */
async function fingerprint(dir: string): Promise<string> {
  const names = (await namesIn(dir)).filter((name) => name.endsWith(".jsonl")).toSorted();
  if (names.length === 0) {
    throw new TracemillError(
      "invalid-input",
      `--rollouts ${dir}: no *.jsonl file in it; name a folder with some`,
    );
  }
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size));
  return sha256Hex(JSON.stringify([resolve(dir), names, sizes])).slice(0, 8);
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const words = code === "ENOENT" ? "not there" : code === "ENOTDIR" ? "is a file" : messageOf(error);
    throw new TracemillError("invalid-input", `--rollouts ${dir}: ${words}; name a folder of *.jsonl files`, {
      cause: error,
    });
  }
}

function latestDemo(spec: RunSpec, home: LocalHome): Promise<RunRecord | undefined> {
  const hash = specHash(spec);
  return findNewest(home.records, (run) => run.name === spec.name && run.specHash === hash);
}

/** Where the demo's commands run, and what that needs of this machine. */
interface DemoSandbox {
  name: LocalSandbox;
  checks: readonly DoctorCheck[];
}

/** Namespaces where they work, since for them nothing has to be pulled; else Docker where it answers. */
async function demoSandbox(context: CliContext): Promise<DemoSandbox> {
  const { sandbox, dockerHost } = context.config;
  if (sandbox === "docker" || sandbox === "namespace") return checked(sandbox, context);
  const here = await checked("namespace", context);
  if (here.checks.every(({ status }) => status !== "missing")) return here;
  const chosen = await chooseSandbox(dockerHost);
  return chosen === here.name ? here : checked(chosen, context);
}

async function checked(name: LocalSandbox, context: CliContext): Promise<DemoSandbox> {
  return { name, checks: await (await openSandboxes(name, context)).doctor() };
}

/** Says what is missing before anything is fetched, rather than failing each trial. */
function requireSandbox(sandbox: DemoSandbox): void {
  const checks = [...sandbox.checks, demoPrograms("missing")];
  const missing = checks.filter(({ status }) => status === "missing");
  const [first] = missing;
  if (first === undefined) return;
  const text = missing
    .map(({ name, detail, remedy }) => `${name}: ${detail}${remedy ? `; ${remedy}` : ""}`)
    .join("\n  ");
  throw new TracemillError(
    "sandbox-unavailable",
    `this machine cannot run the demo:\n  ${text}\nsee: tracemill doctor`,
  );
}
