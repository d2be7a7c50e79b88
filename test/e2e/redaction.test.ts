import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type PlantedSecret, plantedSecrets, plantedText } from "../fakes/planted-secrets.ts";
import { secretsIn, storedTexts } from "../fakes/stored-texts.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { modelProvider } from "../servers/model-provider.ts";
import { jsonLines, repository, showTrials, tracemill, type UserMachine, userMachine } from "./tracemill.ts";

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
} satisfies Record<string, PlantedSecret[]>;

/** A key without a form: only that the program holds it tells it. */
const modelKey = "quietly held and never written";

const call = (name: string, args: Record<string, unknown>): ModelReply => ({
  toolCalls: [{ name, arguments: args }],
});

const encoded = (secrets: readonly PlantedSecret[]): string =>
  Buffer.from(plantedText(secrets))
    .toString("base64")
    .replaceAll(/(.{3})/g, "$1'\"\"'");

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
  await tracemill(machine, "run", path);
}

/** Everything below the home that holds something planted. Tasks are the user's own, named by their content, and stay. */
async function leaks(machine: UserMachine): Promise<string[]> {
  const known = { kind: "model-key", value: modelKey, text: modelKey };
  const texts = (await storedTexts(machine.home)).filter(({ path }) => !/objects\/tasks\//.test(path));
  expect(texts.length).toBeGreaterThan(5);
  return texts.flatMap(({ path, text }) =>
    Object.entries({ ...places, key: [known] }).flatMap(([place, planted]) =>
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

test("a task keeps what its author wrote, and the check says so", async () => {
  await using machine = await userMachine({ ACME_KEY: modelKey });
  await runLeaky(machine, []);
  const checked = jsonLines<{ type: string; kind: string; where: string }>(
    await tracemill(machine, "redact", "--check", "tasks/", "--json"),
  );
  const kinds = new Set(checked.filter(({ type }) => type === "found").map(({ kind }) => kind));
  for (const { kind } of places.instruction) expect(kinds).toContain(kind);
});
