/** A little production activity in the shape of `packages/core/src/production/schemas.ts`: right and wrong claims. */

const bash = (command: string, observation: string) => ({
  tool: "bash",
  arguments: { command },
  observation,
});

function shellTask(index: number) {
  return {
    id: `shell/${index}`,
    status: "done",
    title: `Write ${index}`,
    prompt: `Write the number ${index} to /app/out.txt.`,
    kind: "shell",
    verify: { command: `[ "$(cat /app/out.txt)" = ${index} ]` },
    reference_solution: `#!/bin/bash\nsleep 0.05\necho ${index} > /app/out.txt\n`,
  };
}

function shellSolutions(index: number) {
  const right = {
    id: `right ${index}`,
    agent: "prod-agent",
    model: "acme/small",
    steps: [
      bash(`sleep 0.1; echo ${index} > /app/out.txt; cat /app/out.txt`, `${index}\n`),
      { message: "Done." },
    ],
    evaluation: { status: "passed", score: 1 },
  };
  const wrong = {
    ...right,
    id: `wrong ${index}`,
    steps: [bash(`sleep 0.1; echo ${index + 1} > /app/out.txt`, ""), { message: "Done." }],
    evaluation: { status: index % 2 === 0 ? "passed" : "failed", score: index % 2 === 0 ? 1 : 0 },
  };
  return [right, wrong];
}

function sum(index: number) {
  return {
    task: {
      id: `sum-${index}`,
      status: "done",
      kind: "tool",
      prompt: `What is ${index} + ${index}? Answer in \\boxed{}.`,
      tools: [{ type: "function", function: { name: "execute_python", parameters: { type: "object" } } }],
      expected_answer: String(2 * index),
    },
    solutions: [
      {
        id: `sum-${index}-a`,
        model: "acme/small",
        steps: [
          {
            tool: "execute_python",
            arguments: { code: `print(${index} + ${index})` },
            observation: JSON.stringify({ stdout: `${2 * index}\n`, stderr: "", result: null }),
          },
          { message: `\\boxed{${2 * index}}` },
        ],
        evaluation: { status: "passed", score: 1 },
      },
    ],
  };
}

/** `count` shell tasks with two solutions each, and two sums. */
export function productionActivity(count: number) {
  const sums = [sum(4), sum(21)];
  const indices = Array.from({ length: count }, (_, index) => index);
  const shells = indices.map((index) => ({ task: shellTask(index), solutions: shellSolutions(index) }));
  const rows = [...shells, ...sums];
  return {
    tasks: rows.map(({ task }) => task),
    solutions: Object.fromEntries(rows.map(({ task, solutions }) => [task.id, solutions])) as Record<
      string,
      unknown[]
    >,
  };
}
