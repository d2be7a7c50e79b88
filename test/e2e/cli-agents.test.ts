import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseTrajectory, type Step, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { sessionToTrajectory } from "@tracemill/core/capture/to-atif.ts";
import { readJson, readJsonLines } from "@tracemill/core/stored-json.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { afterAll, describe, expect, test } from "vitest";
import { dockerAt, openDockerEngine } from "../emulators/docker-engine.ts";
import { testImage } from "../emulators/docker-test-image.ts";
import { providerError } from "../servers/model-provider/errors.ts";
import { type ModelProviderOptions, modelProvider } from "../servers/model-provider.ts";
import { greetTask, repairs, shareInstalled, shell, turnsSoFar, withGit } from "./cli-agents-tasks.ts";
import { showTrials, tracemill, type UserMachine, userMachine } from "./tracemill.ts";

const engine = await openDockerEngine();
const host = "host" in engine ? engine.host : "";
const found = "missing" in engine ? engine : await testImage(dockerAt(host));
const image = "image" in found ? found.image : "";
const skip = "missing" in found ? found.missing : undefined;
afterAll(async () => {
  if ("close" in engine) await engine.close();
});

const key = "sk-proj-5Zq8Tn2Vw7Xb4Kd9Rf3Hg6Jm1Lp0Sc8Yu2Ae5Wi7Ox4";

/** The agents, and the protocol that each speaks. */
const programs = [
  { name: "codex", protocol: "responses" },
  { name: "claude-code", protocol: "messages" },
] as const;
type Program = (typeof programs)[number];

interface Given {
  script: ModelProviderOptions["script"];
  options?: Record<string, unknown>;
  limits?: Record<string, unknown>;
  /** Of the task's Dockerfile. */
  task?: { from: string; lines: readonly string[] };
  env?: Record<string, string>;
  /** In place of the scripted server's. */
}

/** Runs an agent on the task, as a user would. */
async function runAgent({ name, protocol }: Program, given: Given) {
  const machine = await userMachine({ ACME_KEY: key, ...given.env });
  await shareInstalled(machine, name);
  const provider = await modelProvider({ script: given.script });
  const { from, lines } = given.task ?? { from: "debian:bookworm", lines: withGit };
  const spec = {
    name: "programs",
    tasks: [await greetTask(machine.dir, from, lines)],
    agents: [{ name, model: "acme/model-1", options: given.options ?? {} }],
    providers: { acme: { url: provider.baseUrl(protocol), protocol, key: "ACME_KEY" } },
    prices: { "acme/model-1": { input: 1_000, output: 1_000 } },
    limits: given.limits ?? {},
    retry: { max: 0 },
  };
  const path = join(machine.dir, "spec.json");
  await writeFile(path, JSON.stringify(spec));
  const finished = await tracemill(machine, "run", path);
  const [trial] = await showTrials(machine);
  return {
    machine,
    provider,
    finished,
    trial,
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    },
  };
}

/** What the run's one attempt left behind. */
async function stored({ home }: UserMachine): Promise<{ trajectory: Trajectory; exchanges: HttpExchange[] }> {
  const objects = openObjectStore(join(home, "objects"));
  const keys = await Array.fromAsync(objects.list("runs/"), ({ key: name }) => name);
  const keyOf = (end: string) => keys.find((name) => name.endsWith(end)) ?? end;
  const path = keyOf("/1/trajectory.json");
  const trajectory = parseTrajectory(await readJson(objects, path), path);
  const lines = readJsonLines(objects, keyOf("/1/exchanges.jsonl.zst"));
  return { trajectory, exchanges: await Array.fromAsync(lines, (line) => HttpExchange.parse(line)) };
}

/** What of a turn both the program's own log and the captured session have to tell alike. */
function turn({ message, reasoning_content, tool_calls, observation, metrics }: Step) {
  return {
    message,
    reasoning: reasoning_content ?? "",
    calls: (tool_calls ?? []).map(({ tool_call_id: id, function_name, arguments: args }) => ({
      id,
      name: function_name,
      arguments: args,
      results: (observation?.results ?? []).flatMap((each) =>
        each.source_call_id === id ? [each.content] : [],
      ),
    })),
    tokens: [metrics?.prompt_tokens, metrics?.completion_tokens, metrics?.cached_tokens],
  };
}

function turns({ steps }: Trajectory) {
  return steps.filter(({ source }) => source === "agent").map(turn);
}

async function expectSolved(program: Program, given: Given): Promise<void> {
  await using work = await runAgent(program, given);
  expect(work.trial, `${work.finished.stderr}\n${work.trial?.reason}`).toMatchObject({
    agent: program.name,
    outcome: "scored",
    reward: 1,
  });
  const { trajectory, exchanges } = await stored(work.machine);
  expect(trajectory.agent).toMatchObject({ name: program.name, model_name: "model-1" });
  expect(trajectory.agent.tool_definitions?.length).toBeGreaterThan(2);
  expect(trajectory.steps[0]).toMatchObject({ source: "system" });
  expect(turns(trajectory)).toHaveLength(4);
  expect(turns(trajectory)).toEqual(
    turns(sessionToTrajectory(exchanges, { name: "captured", version: "1" })),
  );
  expect(work.provider.asked.every(({ headers }) => JSON.stringify(headers).includes(key))).toBe(true);
  expect(JSON.stringify({ trajectory, exchanges })).not.toContain(key);
}

describe.each(programs)("$name in a namespace sandbox without a network", (program) => {
  test("repairs a repository; its own log and the captured session tell the same, turn by turn", async () => {
    await expectSolved(program, { script: repairs });
  });

  test("tokens that run out end the attempt, and give it no reward", async () => {
    await using work = await runAgent(program, { script: repairs, limits: { tokens: 2_000 } });
    expect(work.trial).toMatchObject({
      outcome: "budget-exceeded",
      reason: expect.stringContaining("`limits.tokens`"),
    });
    expect(turns((await stored(work.machine)).trajectory)).toHaveLength(2);
  });

  test("too many turns are the agent's failure", async () => {
    const forever: Given["script"] = (asked) => ({ toolCalls: [shell(asked, `echo ${turnsSoFar(asked)}`)] });
    await using work = await runAgent(program, { script: forever, limits: { turns: 3 } });
    expect(work.trial).toMatchObject({
      outcome: "agent-failed",
      reward: 0,
      reason: expect.stringContaining("3 turns"),
    });
    expect(turns((await stored(work.machine)).trajectory)).toHaveLength(3);
  });

  test("when its time runs out, its work so far is kept and counts", async () => {
    const slow: Given["script"] = (asked) =>
      turnsSoFar(asked) < 2 ? repairs(asked) : { toolCalls: [shell(asked, "tail -f /dev/null")] };
    await using work = await runAgent(program, { script: slow, limits: { time: "12s" } });
    expect(work.trial).toMatchObject({
      outcome: "agent-failed",
      reward: 1,
      reason: expect.stringContaining("time ran out"),
    });
    const { trajectory } = await stored(work.machine);
    expect(turns(trajectory)[1]?.calls).toHaveLength(1);
    expect(turns(trajectory).length).toBeGreaterThan(2);
  });

  test("a key that is refused, and a server that breaks off, are the model's failure", async () => {
    const refused = providerError({ status: 401, message: "no such key" });
    await using unauthorized = await runAgent(program, { script: () => refused });
    expect(unauthorized.trial).toMatchObject({
      outcome: "model-failed",
      reason: expect.stringContaining("HTTP 401"),
    });
    const patience =
      program.name === "codex" ? { config: impatient } : { env: { CLAUDE_CODE_MAX_RETRIES: "1" } };
    const hangUp: Given["script"] = () => (response) => void response.destroy();
    await using dead = await runAgent(program, { script: hangUp, options: patience });
    expect(dead.trial).toMatchObject({ outcome: "model-failed" });
  });

  test("a conversation that outgrows the model is the agent's limit", async () => {
    const full = providerError({
      status: 400,
      message: "prompt is too long: 300000 tokens > 200000 maximum context length",
    });
    const script: Given["script"] = (asked) => (turnsSoFar(asked) < 1 ? repairs(asked) : full);
    await using work = await runAgent(program, { script });
    expect(work.trial).toMatchObject({ outcome: "agent-failed", reward: 0 });
  });
});

const impatient = {
  "model_providers.tracemill.request_max_retries": "0",
  "model_providers.tracemill.stream_max_retries": "0",
};

test("money that runs out ends the attempt, by the prices of the spec", async () => {
  // Three requests of some 1.1 USD each: the second goes beyond.
  await using work = await runAgent(programs[0], { script: repairs, limits: { costUsd: 2 } });
  expect(work.trial).toMatchObject({
    outcome: "budget-exceeded",
    reason: expect.stringContaining("`limits.costUsd`"),
  });
  expect(turns((await stored(work.machine)).trajectory)).toHaveLength(2);
});

describe("any other program", () => {
  test("is captured by its provider's own host name, without a network and without a key", async () => {
    const ask = `curl -sS https://api.openai.com/v1/responses -H 'content-type: application/json' -d '{"model":"m","input":"hi"}'`;
    const command = `${ask} > answer.json && grep -q 'It greets' answer.json && sed -i 's/\\$2/$1/' greet.sh && git commit -qam done && git clean -fdq`;
    const said = { text: "It greets." };
    await using work = await runAgent({ name: "command", protocol: "responses" } as unknown as Program, {
      script: () => said,
      options: { command },
    });
    expect(work.trial, `${work.finished.stderr}\n${work.trial?.reason}`).toMatchObject({
      outcome: "scored",
      reward: 1,
    });
    const { trajectory, exchanges } = await stored(work.machine);
    expect(exchanges).toHaveLength(1);
    expect(turns(trajectory)).toMatchObject([{ message: "It greets." }]);
    expect(work.provider.asked[0]?.headers.authorization).toBe(`Bearer ${key}`);
  });
});

describe.skipIf(skip !== undefined)(`in Docker${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
  test.each(programs)("$name repairs a repository in a container without a network", async (program) => {
    const env = { TRACEMILL_SANDBOX: "docker", DOCKER_HOST: host };
    await expectSolved(program, { script: repairs, env, task: { from: image, lines: [] } });
  });
});
