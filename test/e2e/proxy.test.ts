import { execFile } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { sessionToken } from "@tracemill/core/capture/session-token.ts";
import { expect, test } from "vitest";
import { homeSecret } from "../../packages/cli/src/commands/proxy/proxy-home.ts";
import { asking, capturedMachine, filesWith, startProxy, userKey } from "./captured-machine.ts";
import { jsonLines, startTracemill, tracemill, type UserMachine } from "./tracemill.ts";

const run = promisify(execFile);

interface SessionLine {
  sessionId: string;
  exchanges: number;
  modelExchanges: number;
  failed: number;
  models: string[];
  usage: { promptTokens: number; completionTokens: number; costUsd?: number };
  redactions: Record<string, number>;
}

async function sessionsOf(machine: UserMachine): Promise<SessionLine[]> {
  return jsonLines<SessionLine>(await tracemill(machine, "proxy", "sessions", "--json"));
}

test("a program is captured with one command, and leaves its answer, its exit code and no key", async () => {
  await using world = await capturedMachine(() => ({ text: "forty-two" }));
  const { machine, route } = world;
  const command = ["proxy", "exec", "--session", "first", ...route, "--", ...asking("what is it?")];
  const done = await tracemill(machine, ...command);
  expect(done).toMatchObject({ code: 0, stdout: "200 forty-two\n" });
  expect(done.stderr).toContain("session first: a model was asked 1 times, in ");
  expect(await sessionsOf(machine)).toMatchObject([
    {
      sessionId: "first",
      modelExchanges: 1,
      failed: 0,
      models: ["gpt-5.2"],
      usage: { promptTokens: 100, completionTokens: 10, costUsd: expect.any(Number) },
    },
  ]);
  expect(await filesWith(machine.home, userKey)).toEqual([]);
});

test("the session is RUN_ID's, and its tables read as one-shot-bench's", async () => {
  await using world = await capturedMachine(() => ({ text: "yes" }));
  const { machine, route } = world;
  machine.env.RUN_ID = "20260101__12-00-00";
  await tracemill(machine, "proxy", "exec", ...route, "--", ...asking("one?"));
  await tracemill(machine, "proxy", "exec", ...route, "--", ...asking("two?"));
  using database = new DatabaseSync(join(machine.home, "captures.sqlite"), { readOnly: true });
  const [row] = database.prepare("SELECT * FROM cleaned_sessions").all();
  expect(row?.session_id).toBe("20260101__12-00-00");
  const { traces } = JSON.parse(String(row?.formatted_json));
  const asked = traces.map(
    ({ request }: { request: { messages: { content: string }[] } }) => request.messages[0]?.content,
  );
  expect(asked).toEqual(["one?", "two?"]);
  expect(traces[0].response._raw).toContain("data: [DONE]");
  const metas = database
    .prepare("SELECT meta_json FROM traces")
    .all()
    .map(({ meta_json }) => JSON.parse(String(meta_json)));
  expect(metas).toMatchObject(Array(2).fill({ status_code: 200, session_id: "20260101__12-00-00" }));
});

test("a shell that took the lines of `proxy env` is captured by the running proxy, and is not once it took them back", async () => {
  await using world = await capturedMachine(() => ({ text: "heard" }));
  await using _proxy = await startProxy(world);
  const { machine } = world;
  const lines = (await tracemill(machine, "proxy", "env", "--session", "shell", "--shell", "sh")).stdout;
  const ask = `"$0" "$@"`;
  const captured = await run("sh", ["-c", `${lines}\n${ask}`, ...asking("hello?")], { env: machine.env });
  expect(captured.stdout).toBe("200 heard\n");
  const back = (await tracemill(machine, "proxy", "env", "--unset", "--shell", "sh")).stdout;
  const left = await run("sh", ["-c", `${lines}\n${back}\nenv`], { env: machine.env });
  expect(left.stdout).not.toMatch(/127\.0\.0\.1|ca-bundle/);
  expect(await sessionsOf(machine)).toMatchObject([{ sessionId: "shell", modelExchanges: 1 }]);
});

test("with --base-url no certificate has to be trusted, and with --key-env the program has no key", async () => {
  await using world = await capturedMachine(() => ({ text: "heard" }));
  await using _proxy = await startProxy(world, "--key-env", "OPENAI_API_KEY");
  const { machine, provider } = world;
  const lines = (await tracemill(machine, "proxy", "env", "--base-url", "--shell", "sh")).stdout;
  const env = { ...machine.env, OPENAI_API_KEY: "none" };
  const captured = await run("sh", ["-c", `${lines}\n"$0" "$@"`, ...asking("hello?")], { env });
  expect(captured.stdout).toBe("200 heard\n");
  expect(provider.asked[0]?.headers.authorization).toBe(`Bearer ${userKey}`);
  expect(await filesWith(machine.home, userKey)).toEqual([]);
});

test("a hundred sessions at once are told apart", async () => {
  await using world = await capturedMachine((asked) => ({
    text: `echo ${asked.messages.at(-1)?.text}`,
    pace: { delayMs: 1 },
  }));
  const { machine } = world;
  await using _proxy = await startProxy(world);
  const [{ port }] = jsonLines<{ port: number }>(await tracemill(machine, "proxy", "status", "--json")) as [
    { port: number },
  ];
  const secret = await homeSecret(machine.home);
  const sessions = Array.from({ length: 100 }, (_, index) => `s${index}`);
  const ask = async (session: string, question: string): Promise<void> => {
    const url = `http://127.0.0.1:${port}/s/${session}:${sessionToken(session, secret)}/openai/v1/chat/completions`;
    const body = { model: "gpt-5.2", stream: true, messages: [{ role: "user", content: question }] };
    const answer = await fetch(url, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    expect(answer.status).toBe(200);
    await answer.text();
  };
  await Promise.all(
    sessions.flatMap((session) => [ask(session, `${session} first`), ask(session, `${session} second`)]),
  );
  const found = await sessionsOf(machine);
  expect(found.map(({ sessionId }) => sessionId).toSorted()).toEqual(sessions.toSorted());
  for (const session of ["s0", "s57", "s99"]) {
    const exported = await tracemill(machine, "proxy", "export", session, "--format", "exchanges");
    const texts = jsonLines(exported).map((line) => JSON.stringify(line));
    expect(texts).toHaveLength(2);
    for (const text of texts)
      expect(new Set(text.match(/\bs\d+(?= (?:first|second))/g))).toEqual(new Set([session]));
  }
  const stranger = await fetch(
    `http://127.0.0.1:${port}/s/s1:${sessionToken("s2", secret)}/openai/v1/models`,
  );
  expect(stranger.status).toBe(401);
});

test("kill -9 of the proxy in mid-session loses nothing that had ended", async () => {
  await using world = await capturedMachine((_, before) =>
    before < 5
      ? { text: `answer ${before}` }
      : { text: "never to end", breakOff: { afterEvents: 2, how: "stall" } },
  );
  const { machine } = world;
  await using proxy = await startProxy(world);
  const client = (question: string) => ["proxy", "exec", "--session", "one", "--", ...asking(question)];
  for (let n = 0; n < 5; n += 1) expect((await tracemill(machine, ...client(`question ${n}`))).code).toBe(0);
  const cut = startTracemill(machine, client("question 5"));
  while (world.provider.asked.length < 6) await new Promise((resolve) => setTimeout(resolve, 20));
  proxy.child.kill("SIGKILL");
  await proxy.finished;
  await cut.finished;
  const exported = await tracemill(machine, "proxy", "export", "one", "--format", "cleaned");
  const [{ traces }] = jsonLines<{ traces: { request: { messages: { content: string }[] } }[] }>(
    exported,
  ) as [{ traces: { request: { messages: { content: string }[] } }[] }];
  expect(traces.map(({ request }) => request.messages[0]?.content)).toEqual(
    [0, 1, 2, 3, 4].map((n) => `question ${n}`),
  );
  expect(await tracemill(machine, "proxy", "status")).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("no proxy runs"),
  });
});

test("one proxy serves a home: a second is refused, and `stop` ends the first once all is written", async () => {
  await using world = await capturedMachine(() => ({ text: "heard" }));
  const { machine } = world;
  await using proxy = await startProxy(world);
  const second = await tracemill(machine, "proxy");
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("tracemill proxy stop") });
  await tracemill(machine, "proxy", "exec", "--session", "one", "--", ...asking("hello?"));
  expect((await tracemill(machine, "proxy", "stop")).stdout).toMatch(/^stopped \(pid \d+\)\n$/);
  expect(await proxy.finished).toMatchObject({ code: 0 });
  expect((await tracemill(machine, "proxy", "stop")).stdout).toBe("no proxy runs\n");
  expect(await sessionsOf(machine)).toMatchObject([{ sessionId: "one", modelExchanges: 1 }]);
});

test("a captured program gets its signals, and its exit code is told", async () => {
  await using world = await capturedMachine(() => ({ text: "heard" }));
  const { machine, route } = world;
  const exec = (...command: string[]) => ["proxy", "exec", ...route, "--", ...command];
  expect(await tracemill(machine, ...exec("sh", "-c", "exit 7"))).toMatchObject({ code: 7 });
  expect(await tracemill(machine, ...exec("sh", "-c", "kill -TERM $$"))).toMatchObject({ code: 143 });
  const waiting = startTracemill(
    machine,
    exec("sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.1; done"),
  );
  await new Promise((resolve) => waiting.child.stdout?.once("data", resolve));
  waiting.child.kill("SIGINT");
  expect(await waiting.finished).toMatchObject({ code: 9 });
  expect(await tracemill(machine, ...exec("no-such-program"))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no-such-program: no such program on the PATH"),
  });
});
