import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { expect, test } from "vitest";
import { warnAboutPrices } from "./run-models.ts";

function notesFor(agent: Record<string, unknown>, limits: Record<string, unknown>): string[] {
  const lines: string[] = [];
  const spec = parseRunSpec(
    { name: "t", tasks: ["."], agents: [{ name: "tools", ...agent }], limits },
    "spec",
  );
  warnAboutPrices(spec, { out: { note: (line: string) => lines.push(line) } } as never);
  return lines;
}

const own = { model: "Qwen/Qwen3-8B", options: { baseUrl: "http://127.0.0.1:8000/v1" } };

test("a cap in dollars on a model of unknown price is told of", () => {
  expect(notesFor({ model: "http://127.0.0.1:8000/v1" }, { costUsd: 1 })).toHaveLength(1);
  expect(notesFor({ model: "http://127.0.0.1:8000/v1" }, { run: { costUsd: 1 } })).toHaveLength(1);
  expect(notesFor(own, { costUsd: 1 })).toEqual([expect.stringContaining("Qwen/Qwen3-8B")]);
});

test("nothing is said without such a cap, of a price that is known, and of a router that tells the cost itself", () => {
  expect(notesFor(own, {})).toEqual([]);
  expect(notesFor({ model: "anthropic/claude-haiku-4-5" }, { costUsd: 1 })).toEqual([]);
  expect(notesFor({ model: "openrouter/some/model" }, { costUsd: 1 })).toEqual([]);
});
