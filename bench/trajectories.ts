import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { Row } from "@tracemill/core/dataset/json-row.ts";
import { sftRow as rowOf } from "@tracemill/core/dataset/sft-row.ts";
import { fixtureTrial } from "../test/fakes/run-fixture.ts";

const words =
  "the file of a task is in data and has more rows than you think so read it with care then write what you found to out json value error path line test pass fail run list user name key open import return def class print".split(
    " ",
  );

/** Text that compresses about as program output does: words of a small stock, numbers between them. */
function text(seed: number, length: number): string {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  const out: string[] = [];
  for (let size = 0; size < length; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const word = state % 11 === 0 ? String(state >>> 12) : (words[(state >>> 8) % words.length] ?? "");
    out.push(word);
    size += word.length + 1;
  }
  return out.join(" ");
}

/** A conversation with two tool calls: about 1.5 KB as a row. */
export function trajectory(index: number): Trajectory {
  const call = (at: number) => ({
    source: "agent" as const,
    message: text(index * 7 + at, 40),
    tool_calls: [
      {
        tool_call_id: `call_${index}_${at}`,
        function_name: "bash",
        arguments: { command: text(index * 11 + at, 30) },
      },
    ],
    observation: {
      results: [{ source_call_id: `call_${index}_${at}`, content: text(index * 13 + at, 40) }],
    },
  });
  const steps = [
    { source: "system" as const, message: "You are a terminal agent." },
    { source: "user" as const, message: text(index, 50) },
    call(1),
    call(2),
    { source: "agent" as const, message: text(index * 17, 30) },
  ];
  return {
    schema_version: "ATIF-v1.8",
    agent: { name: "bench", version: "1" },
    steps: steps.map((step, at) => ({ step_id: at + 1, ...step })),
  };
}

/** The row that `sft` has of it. */
export function sftRow(index: number): Row {
  const trial = fixtureTrial("run_BENCH", index);
  const outcome = { kind: "scored" as const, rewards: { reward: (index % 5) / 4 } };
  const result = { runId: "run_BENCH", trial, outcome, decidedBy: "tests" as const };
  return rowOf(result, trajectory(index), `${trial.trialId}/1`) ?? {};
}
