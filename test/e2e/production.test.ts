import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startProductionApi } from "../servers/production-api.ts";
import { jsonLines, showTrials, tracemill, userMachine } from "./tracemill.ts";

const environment = (url: string) => ({
  TRACEMILL_PROD_BASE_URL: url,
  TRACEMILL_PROD_API_TOKEN: "secret-token",
});

test("a user takes a task, submits a solution with a recording, and waits for the verdict", async () => {
  await using api = await startProductionApi({
    tasks: [{ id: "42", status: "open", title: "Count\n\u001bthe files" }],
    quirks: { writes: { evaluations: ["pending", "passed"], fates: [{ takes: true, answer: "cut" }] } },
  });
  await using machine = await userMachine(environment(api.url));

  const listed = await tracemill(machine, "prod", "tasks", "--status", "open");
  expect(listed.stdout).toMatch(/42 +open +Count \\u001bthe files\n/);

  const twice = await tracemill(machine, "prod", "submit", "42", "-", "--artifact", "-");
  expect(twice).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("standard input (-) can be read once"),
  });

  const claimed = await tracemill(machine, "prod", "claim", "42");
  expect(claimed).toMatchObject({ code: 0 });

  const solution = join(machine.dir, "solution.json");
  const recording = join(machine.dir, "recording.webm");
  await writeFile(solution, JSON.stringify({ agent: "me", answer: "7" }));
  await writeFile(recording, Buffer.alloc(2_000_000, 1));
  const submit = ["prod", "submit", "42", solution, "--artifact", recording, "--wait"];
  const submitted = await tracemill(machine, ...submit);
  expect(submitted.stdout).toMatch(/^solution s-\d+\nsolution s-\d+: passed\n$/);
  expect(api.solutions["42"]).toMatchObject([
    { answer: "7", files: [{ name: "recording.webm", size: 2_000_000 }] },
  ]);

  const again = await tracemill(machine, ...submit, "--json");
  expect(jsonLines(again)[0]).toMatchObject({ kind: "solution", before: true });
  expect(api.solutions["42"]).toHaveLength(1);

  const shown = await tracemill(machine, "prod", "solutions", "42");
  expect(shown.stdout).toMatch(/pending\s+me/);
});

test("a finished attempt of ours becomes a solution of the production task that it was made on", async () => {
  await using api = await startProductionApi({
    tasks: [
      {
        id: "7",
        status: "done",
        prompt: "Write hello to /app/hello.txt",
        verify: { command: "test -f /app/hello.txt" },
        reference_solution: "echo hello > /app/hello.txt",
      },
    ],
    solutions: { 7: [{ id: "old", steps: [{ message: "done" }], evaluation: { status: "failed" } }] },
    quirks: { writes: {} },
  });
  await using machine = await userMachine(environment(api.url));
  const spec = join(machine.dir, "spec.json");
  await writeFile(
    spec,
    JSON.stringify({
      name: "solve",
      source: { kind: "prod" },
      agents: [{ name: "oracle" }],
      sandbox: "namespace",
    }),
  );
  expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
  const [trial] = await showTrials(machine);

  const submitted = await tracemill(machine, "prod", "submit", "--attempt", `${trial?.trialId}`);
  expect(submitted).toMatchObject({ code: 0, stdout: expect.stringMatching(/^solution s-1\n$/) });
  expect(api.solutions["7"]?.[1]).toMatchObject({
    agent: "oracle",
    metadata: { trial_id: trial?.trialId, outcome: "scored", reward: 1 },
    trajectory: { agent: { name: "oracle" } },
    files: [{ name: "artifacts.tar.zst" }],
  });
});

test("slips are told with what to do", async () => {
  await using api = await startProductionApi({
    tasks: [],
    quirks: { writes: { claimed: { 1: "somebody" } } },
  });
  await using machine = await userMachine(environment(api.url));
  const cases: [string[], number, RegExp][] = [
    [["prod", "submit", "42"], 2, /give a solution/],
    [["prod", "submit", "42", "nowhere.json"], 2, /nowhere\.json: cannot be read as JSON/],
    [["prod", "submit", "--attempt", "latest"], 2, /give an attempt as trl_/],
    [["prod", "claim", "1"], 1, /claimed by somebody/],
    [["prod", "task", "9"], 2, /the API has no task 9/],
    [["prod", "wait", "9"], 2, /the API has no solution 9/],
  ];
  for (const [args, code, words] of cases) {
    const ended = await tracemill(machine, ...args);
    expect(ended, args.join(" ")).toMatchObject({ code, stderr: expect.stringMatching(words) });
  }
});
