import type { ColumnType, ParquetSchema } from "../ports/parquet.ts";
import type { DatasetFormat } from "../run/export-spec.ts";
import { artJsonl } from "./art-jsonl.ts";
import type { TableDefinition } from "./table-definition.ts";

/** Order in which formats are written and shown, whatever the order in the spec. */
export const datasetFormats = ["sft", "harbor", "art", "trials"] as const satisfies readonly DatasetFormat[];

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

const columns = {
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
  /** `write_trajectory_groups_parquet` of openpipe-art 0.5.23; the two JSON texts are what its reader takes. */
  art: {
    format_version: "SMALLINT",
    group_index: "BIGINT",
    trajectory_index: "BIGINT",
    group_json: "VARCHAR",
    trajectory_json: "VARCHAR",
    group_metadata: "VARCHAR",
    group_metrics: "VARCHAR",
    group_logs: { list: "VARCHAR" },
    reward: "DOUBLE",
    metrics: "VARCHAR",
    metadata: "VARCHAR",
    tools: "VARCHAR",
    logs: { list: "VARCHAR" },
    messages: {
      list: {
        struct: {
          role: "VARCHAR",
          content: "VARCHAR",
          tool_calls: "VARCHAR",
          tool_call_id: "VARCHAR",
          trainable: "BOOLEAN",
        },
      },
    },
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
} as const satisfies Record<string, ParquetSchema>;

/**
 * The table of each format. What differs from row to row in shape (tool definitions, arguments, named rewards)
 * is JSON text in Parquet, so that no two files disagree on a type.
 */
export const datasetTables: Record<DatasetFormat, TableDefinition> = {
  sft: { name: "sft", columns: columns.sft, jsonColumns: ["tools"] },
  harbor: { name: "harbor", columns: columns.harbor, jsonColumns: ["tool_definitions"] },
  art: {
    name: "art",
    columns: columns.art,
    parquetMetadata: { "art.trajectory_parquet.version": "2" },
    unitColumn: "group_index",
    jsonl: artJsonl,
  },
  trials: { name: "trials", columns: columns.trials, jsonColumns: ["agent_options", "rewards"] },
};
