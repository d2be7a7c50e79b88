import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { parseTrajectory } from "@tracemill/core/atif/trajectory.ts";
import { expect, test } from "vitest";
import { installedCodex } from "../emulators/installed-codex.ts";
import type { AskedModel } from "../servers/model-provider/asked.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { capturedMachine, filesWith, startProxy, userKey } from "./captured-machine.ts";
import { jsonLines, startTracemill, tracemill } from "./tracemill.ts";

/** One edit by the tool that Codex offers, then a last word. */
function editsAFile(asked: AskedModel): ModelReply {
  if (asked.messages.some(({ role }) => role === "tool")) return { text: "The file is made." };
  const tool = asked.tools.find(({ name }) => /exec_command|shell/.test(name));
  const cmd = "echo captured > made.txt";
  return {
    reasoning: "A file is wanted.",
    toolCalls: [{ name: tool?.name ?? "none", arguments: { cmd, command: ["bash", "-lc", cmd] } }],
  };
}

const config = `
model = "gpt-5.2"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
`;

test("the user's own Codex, behind `tracemill codex`, becomes an ATIF trajectory of its tool call and its last word", async (context) => {
  const codex = await installedCodex();
  if ("missing" in codex) return context.skip(codex.missing);
  await using world = await capturedMachine(editsAFile);
  await using _proxy = await startProxy(world);
  const { machine, provider } = world;
  const home = join(machine.dir, ".codex");
  await mkdir(home);
  await writeFile(join(home, "config.toml"), config);
  Object.assign(machine.env, {
    PATH: `${codex.folder}${delimiter}${machine.env.PATH}`,
    CODEX_API_KEY: userKey,
    RUN_ID: "20260101__12-00-00",
  });
  const work = ["exec", "--json", "--skip-git-repo-check", "make a file"];
  const running = startTracemill(machine, ["codex", ...work]);
  running.child.stdin?.end();
  const done = await running.finished;
  expect(done.stderr).toContain("session 20260101__12-00-00: a model was asked 2 times, in ");
  expect(done.code).toBe(0);
  expect(await readFile(join(machine.dir, "made.txt"), "utf8")).toBe("captured\n");
  expect(provider.asked.map(({ protocol }) => protocol)).toEqual(["responses", "responses"]);

  const exported = await tracemill(machine, "proxy", "export", "latest", "--format", "atif");
  const [line] = jsonLines(exported);
  const { agent, steps } = parseTrajectory(line, "the export");
  expect(agent).toMatchObject({ name: "codex", version: "0.169.0", model_name: "gpt-5.2" });
  expect(agent.tool_definitions?.length).toBeGreaterThan(0);
  const turns = steps.filter(({ source }) => source === "agent");
  expect(turns).toHaveLength(2);
  expect(turns[0]?.tool_calls?.[0]?.arguments).toMatchObject({ cmd: "echo captured > made.txt" });
  expect(turns[0]?.reasoning_content).toContain("A file is wanted.");
  expect(turns[0]?.observation?.results).toHaveLength(1);
  expect(turns[1]?.message).toBe("The file is made.");
  expect(await filesWith(machine.home, userKey)).toEqual([]);
});

test("codex-synth is installed by one command, runs the Codex on the PATH as it was called, and is removed by one", async () => {
  await using world = await capturedMachine(() => ({ text: "hello" }));
  const { machine } = world;
  const programs = join(machine.dir, "programs");
  await mkdir(programs);
  const codex = join(programs, "codex");
  await writeFile(
    codex,
    '#!/bin/sh\nprintf "%s|" "$@"; cat; env | grep -c "^HTTPS_PROXY=http://run-7:"; exit 5\n',
  );
  await chmod(codex, 0o755);
  machine.env.PATH = `${programs}${delimiter}${machine.env.PATH}`;
  const installed = await tracemill(machine, "proxy", "install");
  const script = join(machine.dir, ".local", "bin", "codex-synth");
  expect(installed.stdout).toContain(script);
  expect((await tracemill(machine, "proxy", "install")).stdout).toContain("is there already");

  const { TRACEMILL_HOME: _, ...env } = machine.env;
  const called = await new Promise<{ code: unknown; stdout: string; stderr: string }>((done) => {
    const args = ["exec", "--", "-x", "--help", "two words"];
    const child = execFile(
      script,
      args,
      { cwd: programs, env: { ...env, RUN_ID: "run-7" } },
      (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr }),
    );
    child.stdin?.end("from stdin|");
  });
  expect(called).toMatchObject({ code: 5, stdout: "exec|--|-x|--help|two words|from stdin|1\n" });
  expect(called.stderr).toContain("session run-7: nothing was captured");

  expect((await tracemill(machine, "proxy", "uninstall")).stdout).toBe(`removed ${script}\n`);
  expect((await tracemill(machine, "proxy", "uninstall")).stdout).toBe(`${script} is not there\n`);
  expect(await readdir(join(machine.dir, ".local", "bin"))).toEqual([]);
});
