import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { repository, startTracemill, tracemill, userMachine } from "./tracemill.ts";

const sortWords = join(repository, "examples/tasks/sort-words");

test.each([
  [["run", "nowhere.yaml"], "nowhere.yaml"],
  [["run"], "give either a spec file or --resume RUN"],
  [["run", "--resume", "latest"], "no runs yet; try: tracemill demo"],
  [["show", "nothing"], "no run nothing here"],
  [["schema", "trajektory"], "trajectory"],
  [["rnu"], "run"],
  [["ingest"], "TRACEMILL_PROD_BASE_URL"],
  [["task", "check", "nowhere"], "nowhere"],
  [["runs", "--limit", "x"], "whole number"],
  [["demo", "--rollouts", "."], "no *.jsonl file in it"],
  [["run", "."], "is a folder; name a spec file"],
])("`tracemill %j` says what is wrong, without a stack", async (args, message) => {
  await using machine = await userMachine();
  const result = await tracemill(machine, ...args);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toMatch(/^\s+at /m);
});

test.each(["ingest", "prepare", "run", "runs", "show", "export", "task", "schema", "doctor", "demo"])(
  "`tracemill %s --help` has an example",
  async (verb) => {
    await using machine = await userMachine();
    const { code, stdout } = await tracemill(machine, verb, "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples?:/);
    expect(stdout).toContain(`tracemill ${verb}`);
  },
);

test("a task with CRLF scripts, or without tests, is named with the remedy", async () => {
  await using machine = await userMachine();
  const task = join(machine.dir, "task");
  await cp(sortWords, task, { recursive: true });
  await writeFile(join(task, "tests/test.sh"), "#!/bin/bash\r\necho 1\r\n");
  const spec = join(machine.dir, "spec.yaml");
  await writeFile(spec, "name: bad\ntasks: [./task]\nagents: [{ name: oracle }]\n");
  const { code, stderr } = await tracemill(machine, "run", spec);
  expect(code).toBe(2);
  expect(stderr).toContain("tests/test.sh");
  expect(stderr).toMatch(/CRLF|line ends/i);
});

test.each([
  ["agents: [{ name: orakle }]", `tasks: [${sortWords}]`, "did you mean `oracle`?"],
  ["agents: [{ name: oracle }]", "tasks: [./nowhere]", "nowhere"],
  ["agents: [{ name: oracle }]", "tasks: [.]", "no task at or below it"],
  ["agents: [{ name: oracle }]", "tasks: ['snapshot:prod']", "tracemill ingest --source prod"],
  ["agents: [{ name: oracle }]", "source: { kind: prod }", "TRACEMILL_PROD_BASE_URL"],
])("a spec with %s and %s is refused before there is a run of it", async (agents, tasks, message) => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "spec.yaml");
  await writeFile(spec, `name: slip\n${agents}\n${tasks}\n`);
  expect(await tracemill(machine, "run", spec)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(message),
  });
  expect((await tracemill(machine, "runs")).stdout).toContain("no runs yet");
});

test("a spec that is no YAML is named with the line, and one without keys says what it wants", async () => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "spec.yaml");
  await writeFile(spec, "name: x\ntasks: [a\nagents: 1\n");
  expect((await tracemill(machine, "run", spec)).stderr).toMatch(/spec\.yaml: .* at line \d/);
  await writeFile(spec, "");
  expect((await tracemill(machine, "run", spec)).stderr).toContain("holds no spec");
});

test("a home that is a file is named with the variable that moves it; an empty variable is none", async () => {
  await using machine = await userMachine({ TRACEMILL_HOME: "" });
  expect(await tracemill(machine, "runs")).toMatchObject({ code: 0 });
  const file = join(machine.dir, "file");
  await writeFile(file, "");
  const result = await tracemill({ ...machine, env: { ...machine.env, TRACEMILL_HOME: file } }, "runs");
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining("set TRACEMILL_HOME") });
  expect(result.stderr).toContain(file);
});

test("a reader that goes away (`| head`) gets no stack", async () => {
  await using machine = await userMachine();
  const { child, finished } = startTracemill(machine, ["schema", "trajectory"]);
  child.stdout?.destroy();
  expect(await finished).toMatchObject({ code: 0, stderr: "" });
});

test.skipIf(!existsSync(join(repository, ".git")))("a clone has every file of the examples", () => {
  const ignored = ["ls-files", "--others", "--ignored", "--exclude-standard", "examples"];
  expect(execFileSync("git", ignored, { cwd: repository, encoding: "utf8" })).toBe("");
});

test("an unknown key in a spec gets a suggestion, and nothing is run", async () => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "spec.yaml");
  await writeFile(spec, `name: bad\ntasks: [${sortWords}]\nagents: [{ name: oracle }]\nconcurency: 3\n`);
  const { code, stderr } = await tracemill(machine, "run", spec);
  expect(code).toBe(2);
  expect(stderr).toContain("unknown key `concurency` (did you mean `concurrency`?)");
});

test("a store that a newer version wrote is left alone", async () => {
  await using machine = await userMachine();
  await tracemill(machine, "runs");
  const file = join(machine.home, "records.sqlite");
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 999");
  database.close();
  const { code, stderr } = await tracemill(machine, "runs");
  expect(code).toBe(1);
  expect(stderr).toContain(file);
  expect(stderr).toMatch(/newer/);
});

test("tests that write no number for a reward fail as a verifier, not as a zero", async () => {
  await using machine = await userMachine();
  const tasks = join(machine.dir, "tasks");
  const rewards = {
    nan: "echo NaN > r.txt",
    empty: ": > r.txt",
    huge: "echo 1e309 > r.txt",
    folder: "mkdir r.txt",
    none: "true",
  };
  for (const [name, command] of Object.entries(rewards)) {
    const task = join(tasks, name);
    await cp(sortWords, task, { recursive: true });
    const script = `#!/bin/bash\ncd /logs/verifier\n${command.replaceAll("r.txt", "reward.txt")}\n`;
    await writeFile(join(task, "tests/test.sh"), script);
    await writeFile(join(task, "task.toml"), `schema_version = "1.4"\n[task]\nname = "bad/${name}"\n`);
  }
  const spec = join(machine.dir, "spec.yaml");
  await writeFile(
    spec,
    "name: bad\ntasks: [./tasks]\nagents: [{ name: oracle }]\nretry: { max: 0 }\nexport: { name: bad }\n",
  );
  expect(await tracemill(machine, "run", spec)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("outcomes: 5 verifier-failed"),
  });
  const shown = await tracemill(machine, "show", "latest");
  expect(shown.stdout).toMatch(/oracle\s+5\s+0\s+–/);
});

test("a home where no folder can be made is said at once", async () => {
  await using machine = await userMachine({ TRACEMILL_HOME: "/proc/nowhere" });
  const { code, stderr } = await tracemill(machine, "runs");
  expect(code).toBe(2);
  expect(stderr).toContain("/proc/nowhere: ");
  expect(stderr).toContain("set TRACEMILL_HOME to a folder that you may write");
});
