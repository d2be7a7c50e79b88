import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const bin = join(root, "packages/cli/bin/tracemill.js");

/** A user's machine for one test: a home of its own, deleted at the end. */
export interface UserMachine extends AsyncDisposable {
  dir: string;
  home: string;
  env: Record<string, string>;
}

export async function userMachine(env: Record<string, string> = {}): Promise<UserMachine> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-e2e-"));
  const home = join(dir, ".tracemill");
  return {
    dir,
    home,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: dir,
      TRACEMILL_HOME: home,
      TRACEMILL_SANDBOX: "namespace",
      ...env,
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  finished: Promise<Finished>;
}

/** Starts `tracemill ARGS` as a user would. */
export function startTracemill(machine: UserMachine, args: readonly string[]): Running {
  const child = spawn(process.execPath, [bin, ...args], { cwd: machine.dir, env: machine.env });
  const parts = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    parts.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    parts.stderr += text;
  });
  const finished = new Promise<Finished>((settle) => {
    child.on("close", (code, signal) => settle({ code, signal, ...parts }));
  });
  return { child, finished };
}

export function tracemill(machine: UserMachine, ...args: string[]): Promise<Finished> {
  return startTracemill(machine, args).finished;
}

/** The JSON lines of a command's output. */
export function jsonLines<T = Record<string, unknown>>({ stdout }: Pick<Finished, "stdout">): T[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

export interface TrialLine {
  trialId: string;
  task: string;
  agent: string;
  sample: number;
  solutionId?: string;
  outcome: string;
  reward?: number;
  reason?: string;
  attempts: { attempt: number; outcome: string; reason?: string }[];
}

/** The trials of a run, as `show --json` lists them. */
export async function showTrials(machine: UserMachine, run = "latest"): Promise<TrialLine[]> {
  return jsonLines<TrialLine>(await tracemill(machine, "show", run, "--json"));
}

/** The dataset that a run ended with. */
export async function datasetOf(
  machine: UserMachine,
  run = "latest",
): Promise<{ dir: string; manifest: DatasetManifestView }> {
  const shown = await tracemill(machine, "show", run);
  const shownDir = /^dataset: (.*)$/m.exec(shown.stdout)?.[1];
  if (shownDir === undefined) throw new Error(`no dataset in:\n${shown.stdout}${shown.stderr}`);
  const dir = resolve(machine.dir, shownDir);
  return {
    dir,
    manifest: JSON.parse(await readFile(join(dir, "manifest.json"), "utf8")) as DatasetManifestView,
  };
}

export interface DatasetManifestView {
  name: string;
  version: string;
  files: { path: string; sha256: string; bytes: number; rows: number }[];
}

export const repository = root;
