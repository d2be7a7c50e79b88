import { posix } from "node:path";
import { isTracemillError, TracemillError } from "../errors.ts";
import { contentId } from "../ids.ts";
import type { TaskConfig } from "./task-config.ts";
import { parseTaskConfig, unknownTaskKeys } from "./task-config-toml.ts";
import { contentHash, hashFiles, packagedFiles, type TaskFile } from "./task-files.ts";
import { scriptProblem } from "./task-scripts.ts";

/** A Harbor task, read and checked. */
export interface HarborTask {
  /** `[task].name`, else the name of the folder. */
  name: string;
  config: TaskConfig;
  /** What the agent is asked; empty for a multi-step task, whose steps have their own. */
  instruction: string;
  steps: { name: string; instruction: string }[];
  multiStep: boolean;
  /** The packaged files, sorted by path, and the `.gitignore` that chose them, if there is one. */
  files: TaskFile[];
  /** Harbor's content hash: 64 hex digits. */
  hash: string;
  /** The same for tasks whose sandboxes are built from the same files and settings. */
  environmentHash: string;
  hasSolution: boolean;
  /** What is allowed but probably not meant: keys of `task.toml` that nobody knows. */
  warnings: string[];
}

/**
 * Reads a task from its files. `where` names the folder or archive in errors, and its last part is the name
 * of a task that has none of its own.
 * @throws TracemillError `invalid-task` with every problem found, each naming its file and the remedy; they
 * are in `context.problems` too.
 */
export function readHarborTask(files: readonly TaskFile[], where: string): HarborTask {
  const reader = new TaskReader(files, where);
  const config = reader.config();
  const name = config?.task?.name ?? posix.basename(where);
  const steps = (config?.steps ?? []).map((step) => ({
    name: step.name,
    instruction: reader.instruction(`steps/${step.name}/instruction.md`),
  }));
  const multiStep = steps.length > 0;
  const instruction = multiStep ? "" : reader.instruction("instruction.md");
  if (config !== undefined) reader.checkTests(config);
  reader.checkScripts();
  if (config === undefined || reader.problems.length > 0) throw invalidTask(where, reader.problems);
  return {
    name,
    config,
    instruction,
    steps,
    multiStep,
    files: reader.kept,
    hash: contentHash(files),
    environmentHash: environmentHash(config, reader.kept),
    hasSolution: reader.has(/^(steps\/[^/]+\/)?solution\/solve\.(sh|ps1|cmd|bat)$/),
    warnings: reader.warnings,
  };
}

function invalidTask(where: string, problems: readonly string[]): TracemillError {
  return new TracemillError("invalid-task", `${where}: ${problems.join("; ")}`, {
    context: { where, problems },
  });
}

/**
 * Identifies what the sandbox is built from: the files below `environment/` (and which of them may be
 * executed), image, working directory and variables.
 */
function environmentHash({ environment }: TaskConfig, files: readonly TaskFile[]): string {
  const own = files.filter(({ path }) => path.startsWith("environment/"));
  const executable = own.filter(({ mode }) => (mode & 0o111) !== 0).map(({ path }) => path);
  const env = Object.entries(environment.env).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return contentId("env", [hashFiles(own), executable, environment.docker_image, environment.workdir, env]);
}

const CANARY = /^(<!--.*canary.*-->|#.*canary.*)$/i;

/**
 * Leaves out the canary comments at the top of an instruction (marks that keep benchmark files out of
 * training data), as Harbor does: agents are not shown them.
 */
export function withoutCanary(instruction: string): string {
  const lines = instruction.split("\n");
  let start = 0;
  while (CANARY.test(lines[start]?.trim() ?? "")) start += 1;
  while (lines[start]?.trim() === "") start += 1;
  return lines.slice(start).join("\n");
}

/** Gathers problems while it reads, so that a user sees all of them at once. */
class TaskReader {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly kept: TaskFile[];
  readonly #all: readonly TaskFile[];
  readonly #where: string;

  constructor(files: readonly TaskFile[], where: string) {
    this.#all = files;
    this.#where = where;
    this.kept = [...files.filter(({ path }) => path === ".gitignore"), ...packagedFiles(files)];
  }

  has(pattern: RegExp): boolean {
    return this.kept.some(({ path }) => pattern.test(path));
  }

  config(): TaskConfig | undefined {
    const text = this.#text("task.toml", this.#missingConfig());
    if (text === undefined) return undefined;
    try {
      const config = parseTaskConfig(text, "task.toml");
      this.warnings.push(...unknownTaskKeys(text, "task.toml").map((warning) => `task.toml: ${warning}`));
      return config;
    } catch (error) {
      if (!isTracemillError(error, "invalid-task")) throw error;
      this.problems.push(error.message);
      return undefined;
    }
  }

  /** The instruction without canary lines; "" when there is a problem with it. */
  instruction(path: string): string {
    const text = this.#text(path, "not there; write what the agent is asked");
    if (text === undefined) return "";
    const instruction = withoutCanary(text);
    if (instruction.trim() === "") this.problems.push(`${path}: empty; write what the agent is asked`);
    return instruction;
  }

  /** A step's own test comes first, the task's shared one stands in; a separate verifier may bring its own. */
  checkTests(config: TaskConfig): void {
    const isWindows = (config.verifier.environment ?? config.environment).os === "windows";
    const script = isWindows ? "test\\.(bat|cmd|ps1)" : "test\\.sh";
    const shared = this.has(new RegExp(`^tests/${script}$`)) || this.#bringsTests("tests", config.verifier);
    const wanted = isWindows ? "test.bat" : "test.sh";
    if (config.steps === null || config.steps.length === 0) {
      if (!shared) this.problems.push(`tests/${wanted}: not there; write the script that checks the work`);
      return;
    }
    for (const { name, verifier } of config.steps) {
      const folder = `steps/${name}/tests/`;
      const own = this.kept.some(
        ({ path }) => path.startsWith(folder) && new RegExp(`^${script}$`).test(path.slice(folder.length)),
      );
      if (own || shared || this.#bringsTests(folder.slice(0, -1), verifier)) continue;
      this.problems.push(`${folder}${wanted}: not there, and no tests/${wanted} to stand in for it`);
    }
  }

  checkScripts(): void {
    for (const file of this.kept) {
      const problem = scriptProblem(file);
      if (problem !== undefined) this.problems.push(problem);
    }
  }

  /** A separate verifier's own image holds its tests when it is named, or built from the tests folder. */
  #bringsTests(folder: string, { environment }: TaskConfig["verifier"]): boolean {
    if (environment === null) return false;
    return environment.docker_image !== null || this.kept.some(({ path }) => path === `${folder}/Dockerfile`);
  }

  #text(path: string, missing: string): string | undefined {
    const file = this.kept.find((candidate) => candidate.path === path);
    if (file === undefined) {
      this.problems.push(`${path}: ${missing}`);
      return undefined;
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(file.content);
    } catch {
      this.problems.push(`${path}: not UTF-8 text; convert it, for example with iconv -t utf-8`);
      return undefined;
    }
  }

  #missingConfig(): string {
    const [inner] = this.#all.filter(({ path }) => /^[^/]+\/task\.toml$/.test(path));
    if (inner === undefined) return "not there; a task needs one, even if it is empty";
    const folder = posix.dirname(inner.path);
    return `not there, but in ${folder}/; give ${posix.join(this.#where, folder)}, or pack that folder's contents`;
  }
}
