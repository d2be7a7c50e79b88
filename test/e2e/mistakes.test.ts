import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { repository, tracemill, userMachine } from "./tracemill.ts";

const sortWords = join(repository, "examples/tasks/sort-words");

test.each([
  [["run", "nowhere.yaml"], "nowhere.yaml"],
  [["run"], "give either a spec file or --resume RUN"],
  [["run", "--resume", "latest"], "`tracemill runs` lists them"],
  [["show", "nothing"], "no run nothing here"],
  [["schema", "trajektory"], "trajectory"],
  [["rnu"], "run"],
  [["ingest"], "TRACEMILL_PROD_BASE_URL"],
  [["task", "check", "nowhere"], "nowhere"],
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
