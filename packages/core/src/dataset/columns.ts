import type { ColumnType, ParquetSchema } from "../ports/parquet.ts";
import type { ExportSpec } from "../run/export-spec.ts";

export type DatasetFormat = ExportSpec["formats"][number];

/** Order in which formats are written and shown, whatever the order in the spec. */
export const datasetFormats = ["sft", "harbor", "trials"] as const satisfies readonly DatasetFormat[];

const message: ColumnType = {
  struct: {
    role: "VARCHAR",
    content: "VARCHAR",
    reasoning_content: "VARCHAR",
    tool_calls: {
      list: {
        struct: {
          id: "VARCHAR",
          type: "VARCHAR",
          function: { struct: { name: "VARCHAR", arguments: "VARCHAR" } },
        },
      },
    },
    tool_call_id: "VARCHAR",
    name: "VARCHAR",
  },
};

/**
 * The columns of each format, the same in every file of every dataset. What differs from row to row in shape
 * (tool definitions, arguments, named rewards) is JSON text, so that no two files disagree on a type.
 */
export const datasetColumns: Record<DatasetFormat, ParquetSchema> = {
  sft: {
    row_id: "VARCHAR",
    messages: { list: message },
    tools: "VARCHAR",
    task: "VARCHAR",
    group: "VARCHAR",
    agent: "VARCHAR",
    model: "VARCHAR",
    reward: "DOUBLE",
    outcome: "VARCHAR",
    decided_by: "VARCHAR",
    trial_id: "VARCHAR",
    run_id: "VARCHAR",
  },
  /** Harbor's export rows: `harbor traces export`. */
  harbor: {
    conversations: { list: { struct: { role: "VARCHAR", content: "VARCHAR" } } },
    agent: "VARCHAR",
    model: "VARCHAR",
    model_provider: "VARCHAR",
    date: "VARCHAR",
    task: "VARCHAR",
    episode: "VARCHAR",
    run_id: "VARCHAR",
    trial_name: "VARCHAR",
    result: "VARCHAR",
    tool_definitions: "VARCHAR",
    instruction: "VARCHAR",
    verifier_output: "VARCHAR",
  },
  trials: {
    trial_id: "VARCHAR",
    run_id: "VARCHAR",
    task: "VARCHAR",
    task_hash: "VARCHAR",
    group: "VARCHAR",
    agent: "VARCHAR",
    model: "VARCHAR",
    agent_options: "VARCHAR",
    solution_id: "VARCHAR",
    sample: "BIGINT",
    attempts: "BIGINT",
    outcome: "VARCHAR",
    failure: "VARCHAR",
    reason: "VARCHAR",
    reward: "DOUBLE",
    rewards: "VARCHAR",
    decided_by: "VARCHAR",
    claim: "VARCHAR",
    claim_holds: "BOOLEAN",
    prompt_tokens: "BIGINT",
    completion_tokens: "BIGINT",
    cached_tokens: "BIGINT",
    cost_usd: "DOUBLE",
    started_at: "VARCHAR",
    ended_at: "VARCHAR",
    environment_ms: "DOUBLE",
    agent_ms: "DOUBLE",
    verifier_ms: "DOUBLE",
    sandbox: "VARCHAR",
    source: "VARCHAR",
    snapshot_id: "VARCHAR",
    source_task_id: "VARCHAR",
    result_key: "VARCHAR",
    trajectory_key: "VARCHAR",
    exchanges_key: "VARCHAR",
    artifacts_key: "VARCHAR",
  },
};

/** Columns that are JSON text in Parquet and plain JSON in JSONL. */
export const jsonColumns: Record<DatasetFormat, readonly string[]> = {
  sft: ["tools"],
  harbor: ["tool_definitions"],
  trials: ["agent_options", "rewards"],
};
