import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { dockerAt, openDockerEngine } from "../emulators/docker-engine.ts";
import { testImage } from "../emulators/docker-test-image.ts";
import { writeHarborJob } from "../fakes/harbor-job.ts";
import { type PlantedSecret, plantedSecrets, plantedText } from "../fakes/planted-secrets.ts";
import { secretsIn, storedTexts } from "../fakes/stored-texts.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { modelProvider } from "../servers/model-provider.ts";
import { jsonLines, repository, showTrials, tracemill, type UserMachine, userMachine } from "./tracemill.ts";

const engine = await openDockerEngine();
const host = "host" in engine ? engine.host : "";
const found = "missing" in engine ? engine : await testImage(dockerAt(host));
const image = "image" in found ? found.image : "";
const skip = "missing" in found ? found.missing : undefined;
afterAll(async () => {
  if ("close" in engine) await engine.close();
});

/** Secrets of their own for each place where an attempt could leak, so that a leak names its place. */
const places = {
  instruction: plantedSecrets(1),
  answer: plantedSecrets(2),
  reasoning: plantedSecrets(3),
  "tool call": plantedSecrets(4),
  "tool output": plantedSecrets(5),
  "workspace file": plantedSecrets(6),
  "file name": plantedSecrets(7).filter(({ value }) => !value.includes("/")),
  "verifier output": plantedSecrets(8),
  "error of the model": plantedSecrets(9),
  "program's output": plantedSecrets(10),
  "program's log": plantedSecrets(11),
  "program's headers": plantedSecrets(12),
  "build's output": plantedSecrets(13),
  "imported trial": plantedSecrets(14),
} satisfies Record<string, PlantedSecret[]>;

/** A key without a form: only that the program holds it tells it. */
const modelKey = "quietly-held-and-never-written";

/** Variables of a spec: nothing but their names tells that they are secrets. */
const variables = { DB_PASSWORD: "correct horse battery", SERVICE_TOKEN: "xyzzy plugh" };

const call = (name: string, args: Record<string, unknown>): ModelReply => ({
  toolCalls: [{ name, arguments: args }],
});

const base64InQuotes = (text: string): string =>
  Buffer.from(text)
    .toString("base64")
    .replaceAll(/(.{3})/g, "$1'\"\"'");

const encoded = (secrets: readonly PlantedSecret[]): string => base64InQuotes(plantedText(secrets));

/** What the agent does with what it came upon. Quotes within the base64 keep what it prints out of the command itself. */
function answers(): ModelReply[] {
  const fileName = places["file name"].find(({ kind }) => kind === "github-token")?.value ?? "";
  return [
    {
      ...call("bash", { command: `cat <<'END'\n${plantedText(places["tool call"])}END` }),
      reasoning: plantedText(places.reasoning),
    },
    call("bash", { command: `echo '${encoded(places["tool output"])}' | base64 -d` }),
    call("bash", {
      command: `echo '${encoded(places["workspace file"])}' | base64 -d > .env; touch ${fileName}.txt`,
    }),
    call("bash", { command: "sort -u words.txt > sorted.txt; echo $ACME_KEY" }),
    { text: plantedText(places.answer), tokens: { completion: [1, 2, 3] } },
  ];
}

/** `sort-words` with an instruction and tests that have secrets in them. */
async function leakyTask(dir: string): Promise<string> {
  const task = join(dir, "task");
  await mkdir(task, { recursive: true });
  await cp(join(repository, "examples/tasks/sort-words"), task, { recursive: true });
  const instruction = await readFile(join(task, "instruction.md"), "utf8");
  await writeFile(join(task, "instruction.md"), `${instruction}\n${plantedText(places.instruction)}`);
  const tests = join(task, "tests/test.sh");
  const [shebang = "", ...rest] = (await readFile(tests, "utf8")).split("\n");
  const leak = `cat <<'END'\n${plantedText(places["verifier output"])}END`;
  await writeFile(tests, [shebang, leak, ...rest].join("\n"));
  return task;
}

async function runLeaky(machine: UserMachine, script: readonly ModelReply[], spec = {}): Promise<void> {
  await using model = await modelProvider({
    script: (_, before) => script[before] ?? { text: "done" },
  });
  await runWith(machine, model.baseUrl("chat-completions"), spec);
}

async function runWith(machine: UserMachine, url: string, spec = {}): Promise<void> {
  const path = join(machine.dir, "leaky.json");
  const providers = { acme: { url, protocol: "chat-completions", key: "ACME_KEY" } };
  const whole = {
    name: "leaky",
    tasks: [await leakyTask(machine.dir)],
    agents: [{ name: "tools", model: "acme/m" }],
    providers,
    retry: { max: 0 },
    export: { name: "leaky", formats: ["sft", "trials"], splits: { train: 1 } },
    ...spec,
  };
  await writeFile(path, JSON.stringify(whole));
  const { stderr } = await tracemill(machine, "run", path);
  expect(stderr).not.toContain("error:");
}

/** Tasks are the user's own, named by their content; a run is resumed by its spec. */
const asTheyAre = /objects\/tasks\/|objects\/runs\/[^/]+\/spec\.json$/;

/** Everything below the home that holds something planted. */
async function leaks(machine: UserMachine): Promise<string[]> {
  const held = [modelKey, ...Object.values(variables)].map((value) => ({ kind: "held", value, text: value }));
  const texts = (await storedTexts(machine.home)).filter(({ path }) => !asTheyAre.test(path));
  expect(texts.length).toBeGreaterThan(5);
  return texts.flatMap(({ path, text }) =>
    Object.entries({ ...places, "program itself": held }).flatMap(([place, planted]) =>
      secretsIn(text, planted).map(({ kind }) => `${path}: ${kind} of the ${place}`),
    ),
  );
}

describe("no secret is written", () => {
  test("what an agent reads, says, writes and leaves behind, and what its verifier prints", async () => {
    await using machine = await userMachine({ ACME_KEY: modelKey });
    await runLeaky(machine, answers());
    expect(await leaks(machine)).toEqual([]);
    const [trial] = await showTrials(machine);
    expect(trial).toMatchObject({ outcome: "scored", reward: 1 });
    const shown = await tracemill(machine, "show", trial?.trialId ?? "");
    expect(shown.stdout).toContain("github-token");
    const check = await tracemill(machine, "redact", "--check", "runs/", "datasets/", "--json");
    expect(jsonLines(check)).toMatchObject([{ type: "checked", counts: {} }]);
    expect(check.code).toBe(0);
  });

  test("the words of a model's error", async () => {
    await using machine = await userMachine({ ACME_KEY: modelKey });
    await using refusing = await modelProvider({
      script: () => (response) =>
        void response.writeHead(400, { "content-type": "application/json" }).end(
          JSON.stringify({
            error: { message: `bad key ${modelKey} ${plantedText(places["error of the model"])}` },
          }),
        ),
    });
    await runWith(machine, refusing.baseUrl("chat-completions"));
    expect(await leaks(machine)).toEqual([]);
    const [trial] = await showTrials(machine);
    expect(trial?.reason).toContain("[REDACTED:openai-key]");
  });

  test("a workspace may be kept as it is; all else is still redacted", async () => {
    await using machine = await userMachine({ ACME_KEY: modelKey });
    await runLeaky(machine, answers(), { redact: { workspace: "keep" } });
    const found = await leaks(machine);
    expect(found).not.toEqual([]);
    expect(found.filter((each) => !each.includes("artifacts.tar.zst"))).toEqual([]);
  });
});

/** A program for the command line that leaks in all ways that it has: it prints, asks, logs, and fails. */
async function runProgram(machine: UserMachine, from: string): Promise<void> {
  const task = await leakyTask(join(machine.dir, "program"));
  const build = [
    `FROM ${from}`,
    "WORKDIR /app",
    // Not from the engine's cache, which prints nothing.
    `RUN echo ${machine.dir}`,
    `RUN echo '${encoded(places["build's output"])}' | base64 -d`,
  ];
  await writeFile(join(task, "environment/Dockerfile"), `${build.join("\n")}\n`);
  const headers = places["program's headers"]
    .filter(({ kind }) => kind !== "private-key")
    .map(({ text }, at) => `x-note-${at}: ${text}`)
    .join("\n");
  const command = [
    `echo '${encoded(places["program's output"])}' | base64 -d`,
    `echo '${encoded(places["program's log"])}' | base64 -d > $PROGRAM_HOME/log.json`,
    "echo $DB_PASSWORD $PLUGH >&2",
    `echo '${base64InQuotes(headers)}' | base64 -d > /tmp/headers`,
    `curl -sS {baseUrl}/chat/completions -H 'content-type: application/json' -H @/tmp/headers -H "x-plugh: $PLUGH" -d '{"model":"{model}","messages":[{"role":"user","content":"'"$DB_PASSWORD"'"}]}'`,
    "exit 3",
  ].join("\n");
  const options = {
    command,
    env: { PLUGH: "${SERVICE_TOKEN}", DB_PASSWORD: "${DB_PASSWORD}" },
    log: { path: "log.json", format: "chat-messages" },
  };
  await runLeaky(machine, [{ text: plantedText(places.answer) }], {
    tasks: [task],
    agents: [{ name: "command", model: "acme/m", options }],
    env: variables,
  });
}

describe("a program in a sandbox", () => {
  const places = [
    { sandbox: "namespace", from: "debian:bookworm", why: undefined },
    { sandbox: "docker", from: image, why: skip },
  ];
  for (const { sandbox, from, why } of places) {
    test.skipIf(why !== undefined)(`${sandbox}${why === undefined ? "" : ` (skipped: ${why})`}`, async () => {
      const env = { ACME_KEY: modelKey, TRACEMILL_SANDBOX: sandbox, DOCKER_HOST: host };
      await using machine = await userMachine(env);
      await runProgram(machine, from);
      expect(await leaks(machine)).toEqual([]);
      const [trial] = await showTrials(machine);
      expect(trial?.reason).toContain("/logs/agent/command/log.json");
      const shown = await tracemill(machine, "show", trial?.trialId ?? "");
      for (const kind of ["db-password", "service-token", "github-token"])
        expect(shown.stdout).toContain(kind);
      const logs = (await storedTexts(machine.home)).filter(({ path }) => /cache\/.*\.log$/.test(path));
      const marked = logs.filter(({ text }) => text.includes("[REDACTED:github-token]"));
      expect(marked.length > 0).toBe(sandbox === "docker");
    });
  }
});

test("a trial that was imported", async () => {
  await using machine = await userMachine({ ACME_KEY: modelKey });
  const text = plantedText(places["imported trial"]);
  const files = {
    "agent/trajectory.json": {
      schema_version: "ATIF-v1.7",
      session_id: "s",
      agent: { name: "terminus-2", version: "2.0.0" },
      steps: [{ step_id: 1, source: "agent", message: text }],
    },
    "agent/terminal.txt": text,
    "verifier/test-stdout.txt": text,
    "artifacts/app/.env": text,
  };
  const result = {
    exception_info: {
      exception_type: "RuntimeError",
      exception_message: text,
      exception_traceback: text,
      occurred_at: "2026-11-21T15:54:00",
    },
  };
  const jobs = join(machine.dir, "jobs");
  await writeHarborJob(jobs, "job", [
    { name: "sort-words__a", files, result },
    { name: "sort-words__b", files },
  ]);
  expect(await tracemill(machine, "import", "harbor", jobs)).toMatchObject({ code: 0 });
  expect(await leaks(machine)).toEqual([]);
  const [trial] = await showTrials(machine);
  const shown = await tracemill(machine, "show", trial?.trialId ?? "");
  expect(shown.stdout).toContain("github-token");
});

test("a task keeps what its author wrote, and the check says so", async () => {
  await using machine = await userMachine({ ACME_KEY: modelKey });
  await runLeaky(machine, []);
  const checked = jsonLines<{ type: string; kind: string; where: string }>(
    await tracemill(machine, "redact", "--check", "tasks/", "--json"),
  );
  const kinds = new Set(checked.filter(({ type }) => type === "found").map(({ kind }) => kind));
  for (const { kind } of places.instruction) expect(kinds).toContain(kind);
});
