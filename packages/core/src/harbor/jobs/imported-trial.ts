import type { Trajectory } from "../../atif/trajectory.ts";
import { isTracemillError, messageOf } from "../../errors.ts";
import { parseShallow } from "../../ingest/body/limits.ts";
import { parseAs } from "../../validation.ts";
import { TrialLockFile, TrialResultFile } from "./documents.ts";
import type { TrialFolder } from "./folder.ts";
import type { VerifierOutput } from "./imported-attempt.ts";
import { chainSteps, isTrajectoryFile, joinTrajectories, type TrajectoryFile } from "./trajectory-files.ts";

const mib = 1024 * 1024;
/** A result with the token ids of every turn has tens of them. */
const documentBytes = 128 * mib;
/** As much of the verifier's output as a verification of ours keeps. */
const outputBytes = 64 * 1024;

/** A trial folder, read. */
export type ReadTrial =
  | { status: "read"; result: TrialResultFile; digest: string | undefined }
  /** No `result.json`: the trial is running, or was killed. */
  | { status: "unfinished" }
  | { status: "broken"; reason: string };

/** Reads what a trial folder says of its trial, without its trajectory and files. Never throws for its content. */
export async function readTrialFolder(folder: TrialFolder): Promise<ReadTrial> {
  try {
    const bytes = await folder.read("result.json", documentBytes);
    if (bytes === undefined) return { status: "unfinished" };
    const result = parseAs(TrialResultFile, parseJson(bytes), "result.json");
    const lock = await folder.read("lock.json", documentBytes);
    const digest = lock === undefined ? undefined : digestOf(lock);
    return { status: "read", result, digest };
  } catch (error) {
    if (error instanceof SyntaxError)
      return { status: "broken", reason: `result.json: not whole JSON (${messageOf(error)})` };
    if (isTracemillError(error, "invalid-input")) return { status: "broken", reason: error.message };
    throw error;
  }
}

/** The task's content hash, when the lock says it; a lock that cannot be read says nothing. */
function digestOf(lock: Uint8Array): string | undefined {
  try {
    return TrialLockFile.safeParse(parseJson(lock)).data?.task?.digest;
  } catch {
    return undefined;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  return parseShallow(Buffer.from(bytes).toString("utf8"));
}

export interface TrialContents {
  trajectory?: Trajectory;
  output: VerifierOutput;
  /** What could not be taken, with the reason. */
  problems: string[];
}

/** Reads a trial's trajectories and what its verifier printed. */
export async function readContents(folder: TrialFolder, steps: readonly string[]): Promise<TrialContents> {
  const problems: string[] = [];
  const trajectory =
    (await joinedIn(folder, "agent/", problems)) ?? (await overSteps(folder, steps, problems));
  const verifier = steps.length === 0 ? "verifier/" : `steps/${steps.at(-1)}/verifier/`;
  const output = {
    stdout: await printed(folder, `${verifier}test-stdout.txt`),
    stderr: await printed(folder, `${verifier}test-stderr.txt`),
  };
  return { ...(trajectory === undefined ? {} : { trajectory }), output, problems };
}

async function overSteps(
  folder: TrialFolder,
  steps: readonly string[],
  problems: string[],
): Promise<Trajectory | undefined> {
  const parts: { name: string; trajectory: Trajectory }[] = [];
  for (const name of steps) {
    const trajectory = await joinedIn(folder, `steps/${name}/agent/`, problems);
    if (trajectory !== undefined) parts.push({ name, trajectory });
  }
  return chainSteps(parts);
}

async function joinedIn(
  folder: TrialFolder,
  prefix: string,
  problems: string[],
): Promise<Trajectory | undefined> {
  const files: TrajectoryFile[] = [];
  for await (const { path, kind } of folder.entries()) {
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : "";
    if (kind !== "file" || !isTrajectoryFile(name)) continue;
    try {
      const bytes = await folder.read(path, documentBytes);
      if (bytes !== undefined) files.push({ name, bytes });
    } catch (error) {
      if (!isTracemillError(error, "invalid-input")) throw error;
      problems.push(messageOf(error));
    }
  }
  const joined = joinTrajectories(files);
  problems.push(...joined.problems.map((problem) => `${prefix}${problem}`));
  return joined.trajectory;
}

/** The text of a log; of a large one its first and its last part. */
async function printed(folder: TrialFolder, path: string): Promise<string | undefined> {
  try {
    const bytes = await folder.read(path, documentBytes);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes).toString("utf8");
    const half = outputBytes / 2;
    return text.length <= outputBytes ? text : `${text.slice(0, half)}\n[…]\n${text.slice(-half)}`;
  } catch (error) {
    if (isTracemillError(error, "invalid-input")) return `[left out: ${error.message}]`;
    throw error;
  }
}
