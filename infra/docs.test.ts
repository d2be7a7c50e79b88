import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pipelineDefinition } from "./asl/definition.ts";
import { graphMermaid } from "./asl/graph.ts";

const start = "<!-- state machine: generated from infra/asl -->\n";
const end = "<!-- end of state machine -->";

test("docs/aws.md shows the state machine as it is", async () => {
  const names = [
    "ingest",
    "prepare",
    "plan",
    "export-small",
    "collect",
    "record-failure",
    "end-run",
  ] as const;
  const functions = Object.fromEntries(names.map((name) => [name, name])) as Record<
    (typeof names)[number],
    string
  >;
  const step = { queue: "queue", definition: "definition" };
  const diagram = graphMermaid(pipelineDefinition({ partition: "aws", functions, step }));
  const page = await readFile(join(import.meta.dirname, "../docs/aws.md"), "utf8");
  const shown = page.slice(page.indexOf(start) + start.length, page.indexOf(end));
  expect(shown).toBe(`\`\`\`mermaid\n${diagram.trimEnd()}\n\`\`\`\n`);
});
