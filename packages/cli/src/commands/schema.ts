import { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { DatasetManifest } from "@tracemill/core/dataset/manifest.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { TaskConfig } from "@tracemill/core/harbor/task-config.ts";
import { SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { Evaluation, RawRow, Solution, Task } from "@tracemill/core/production/schemas.ts";
import { ExportSpec } from "@tracemill/core/run/export-spec.ts";
import { Outcome } from "@tracemill/core/run/outcome.ts";
import { AttemptResult } from "@tracemill/core/run/result.ts";
import { RunRecord } from "@tracemill/core/run/run.ts";
import { RunSpec } from "@tracemill/core/run/spec.ts";
import { Trial, TrialRecord } from "@tracemill/core/run/trial.ts";
import { Scenario } from "@tracemill/core/scenario/scenario.ts";
import { suggestion } from "@tracemill/core/validation.ts";
import { Command } from "commander";
import * as z from "zod";
import type { CliContext } from "../context.ts";
import { table } from "../tables.ts";

/** What is read and written, by the name that `tracemill schema` knows. */
const schemas: Record<string, { schema: z.ZodType; about: string }> = {
  "run-spec": { schema: RunSpec, about: "a run's spec: the YAML that `tracemill run` takes" },
  export: { schema: ExportSpec, about: "the `export` section of a spec" },
  task: { schema: Task, about: "a task of the production API" },
  solution: { schema: Solution, about: "a recorded solution of the production API" },
  evaluation: { schema: Evaluation, about: "what the production API claims about a solution" },
  "raw-row": { schema: RawRow, about: "a line of a raw snapshot: a task with its solutions" },
  "snapshot-manifest": { schema: SnapshotManifest, about: "manifest.json of a raw snapshot" },
  "task-config": { schema: TaskConfig, about: "task.toml of a Harbor task" },
  scenario: { schema: Scenario, about: "scenario.json of a scenario task" },
  trajectory: { schema: Trajectory, about: "an agent's trajectory (ATIF)" },
  run: { schema: RunRecord, about: "a run in the record store" },
  trial: { schema: Trial, about: "one agent on one task, as planned" },
  "trial-record": { schema: TrialRecord, about: "a trial in the record store" },
  "attempt-result": { schema: AttemptResult, about: "result.json of an attempt" },
  outcome: { schema: Outcome, about: "how an attempt ended" },
  "dataset-manifest": { schema: DatasetManifest, about: "manifest.json of a dataset" },
};

const help = `
Examples:
  tracemill schema                          # the names
  tracemill schema run-spec > run-spec.schema.json
  tracemill schema trajectory | jq '.properties | keys'`;

export function schemaCommand({ out }: Pick<CliContext, "out">): Command {
  return new Command("schema")
    .description("print the JSON Schema of something that is read or written")
    .argument("[name]", "what; without it, the names are listed")
    .option("--json", "on one line")
    .addHelpText("after", help)
    .action((name: string | undefined) => {
      if (name === undefined) {
        for (const [key, { about }] of Object.entries(schemas)) out.event({ name: key, about });
        out.text(
          table(
            ["name", "what it is"],
            Object.entries(schemas).map(([key, { about }]) => [key, about]),
          ),
        );
        return;
      }
      const schema = jsonSchema(name);
      out.event(schema);
      out.text(JSON.stringify(schema, null, 2));
    });
}

/**
 * The JSON Schema (draft 2020-12) of what may be given: defaulted keys are optional, a duration is a text.
 * @throws TracemillError `invalid-input` for an unknown name, with a suggestion.
 */
export function jsonSchema(name: string): object {
  const found = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
  if (found !== undefined) {
    return {
      title: name,
      description: found.about,
      ...z.toJSONSchema(found.schema, { io: "input", unrepresentable: "any" }),
    };
  }
  const names = Object.keys(schemas);
  const near = suggestion(name, names);
  const hint = near === undefined ? `known names: ${names.join(", ")}` : `did you mean \`${near}\`?`;
  throw new TracemillError("invalid-input", `no schema is called \`${name}\` (${hint})`);
}
