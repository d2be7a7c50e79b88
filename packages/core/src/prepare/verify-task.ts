import type * as z from "zod";
import { TracemillError } from "../errors.ts";
import { TaskConfig } from "../harbor/task-config.ts";
import { formatTaskConfig } from "../harbor/task-config-toml.ts";
import { packagedFiles, type TaskFile } from "../harbor/task-files.ts";
import type { DecidingCommand, ProductionEnvironment, Task } from "../production/schemas.ts";
import { instructionOf } from "./instruction.ts";
import { textFile } from "./text-file.ts";

type Verify = z.infer<typeof DecidingCommand>;
type Environment = z.infer<typeof ProductionEnvironment>;

const defaultWorkdir = "/app";
const defaultTimeoutSec = 600;
/** Time that the test script itself may take beside its command. */
const marginSec = 60;
const commandFile = "tests/deciding-command.sh";

/**
 * A production task with a deciding command as a Harbor task: `task.toml`, `instruction.md`, `environment/`,
 * `tests/test.sh`, and `solution/solve.sh` when the row brings a reference solution.
 * @throws TracemillError `invalid-task`, naming the field of the row.
 */
export function verifyTaskFiles(task: Task, verify: Verify, source: string): TaskFile[] {
  const files = [
    textFile("task.toml", formatTaskConfig(configOf(task, verify, source))),
    textFile("instruction.md", `${instructionOf(task).trim()}\n`),
    ...environmentFiles(task),
    ...testFiles(task, verify),
  ];
  if (task.reference_solution)
    files.push(textFile("solution/solve.sh", withShebang(task.reference_solution)));
  // Harbor's default list would leave out a row's `notes~` or `cache.pyc`; an own, empty one leaves out nothing.
  return packagedFiles(files).length < files.length ? [...files, textFile(".gitignore", "")] : files;
}

function configOf(task: Task, verify: Verify, source: string): TaskConfig {
  const { title, kind, group, tags, created_at: createdAt } = task;
  const environment = task.environment ?? {};
  const given = { source, task_id: task.id, title, kind, group, tags, created_at: createdAt };
  return TaskConfig.parse({
    schema_version: "1.4",
    metadata: Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)),
    verifier: { timeout_sec: (verify.timeout_sec ?? defaultTimeoutSec) + marginSec },
    environment: {
      network_mode: environment.network === true ? "public" : "no-network",
      ...(environment.workdir ? { workdir: absolute(task, environment.workdir) } : {}),
    },
  });
}

/**
 * The row's own Dockerfile keeps its instructions. Its build context is the row's files; where it copies
 * none of them, they are laid into its working directory at the end.
 */
function environmentFiles(task: Task): TaskFile[] {
  const environment = task.environment ?? {};
  const files = Object.entries(environment.files ?? {});
  const own = environment.dockerfile;
  const copiesItself = own != null && /^\s*(COPY|ADD)\s/im.test(own);
  const folder = copiesItself ? "environment/" : "environment/files/";
  if (copiesItself && files.some(([path]) => path === "Dockerfile")) {
    throw invalid(
      task,
      "environment.files",
      "holds a `Dockerfile`, which would replace `environment.dockerfile`",
    );
  }
  const target = environment.workdir
    ? absolute(task, environment.workdir)
    : own == null
      ? defaultWorkdir
      : ".";
  const copy = files.length > 0 && !copiesItself ? [`COPY ["files/", "${target}/"]`] : [];
  const start = own == null ? ["FROM python:3.12-bookworm", `WORKDIR ${target}`] : [own.trimEnd()];
  const dockerfile = [...start, ...envLines(task, environment), ...copy].join("\n");
  return [
    textFile("environment/Dockerfile", `${dockerfile}\n`),
    ...files.map(([path, text]) => textFile(`${folder}${path}`, text)),
  ];
}

function envLines(task: Task, { env }: Environment): string[] {
  return Object.entries(env ?? {}).map(([name, value]) => {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw invalid(task, "environment.env", `\`${name}\` is no variable's name`);
    if (/[\r\n]/.test(value))
      throw invalid(task, `environment.env.${name}`, "holds a line end; put it into a file");
    return `ENV ${name}="${value.replaceAll(/["\\$]/g, "\\$&")}"`;
  });
}

function absolute(task: Task, workdir: string): string {
  const plain = workdir.replace(/(.)\/+$/, "$1");
  if (/^\/[^\s"\\$]*$/.test(plain)) return plain;
  throw invalid(task, "environment.workdir", `\`${workdir}\` is no plain absolute path`);
}

/** The command decides by its exit code alone, and whatever it does, the script lives on to write the reward. */
function testFiles(task: Task, verify: Verify): TaskFile[] {
  const beside = Object.entries(verify.files ?? {}).map(([path, text]) => textFile(`tests/${path}`, text));
  const own = new Set(["tests/test.sh", commandFile]);
  const taken = beside.find(({ path }) => own.has(path));
  if (taken !== undefined) {
    throw invalid(
      task,
      "verify.files",
      `\`${taken.path.slice("tests/".length)}\` is the platform's name; rename it`,
    );
  }
  const script = `#!/bin/bash
# The task's deciding command: exit code 0 is a pass.
mkdir -p /logs/verifier
timeout --kill-after=10 ${verify.timeout_sec ?? defaultTimeoutSec} bash -c "$(cat /${commandFile})" < /dev/null
code=$?
echo "exit code: $code"
if [ "$code" -eq 0 ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
`;
  return [textFile("tests/test.sh", script), textFile(commandFile, `${verify.command}\n`), ...beside];
}

function withShebang(script: string): string {
  const text = script.endsWith("\n") ? script : `${script}\n`;
  return text.startsWith("#!") ? text : `#!/bin/bash\n${text}`;
}

function invalid(task: Task, field: string, problem: string): TracemillError {
  return new TracemillError("invalid-task", `${task.id}: \`${field}\` ${problem}`);
}
