import type { TableDefinition } from "../dataset/table-definition.ts";

/** What every row says of its episode. */
const keys = {
  episode_id: "VARCHAR",
  task_id: "VARCHAR",
  project_id: "VARCHAR",
  group: "VARCHAR",
} as const;

const step = { rid: "VARCHAR", ...keys, step_index: "BIGINT" } as const;

/** The tables of reward-model data. docs/reward-model.md says what each column holds. */
export const rewardModelTables = [
  {
    name: "finals",
    columns: {
      rid: "VARCHAR",
      ...keys,
      y_success: "BIGINT",
      final_score: "DOUBLE",
      raw_score: "DOUBLE",
      tests_passed: "BIGINT",
      tests_total: "BIGINT",
      decided_by: "VARCHAR",
    },
  },
  {
    name: "observations",
    columns: {
      ...step,
      url: "VARCHAR",
      url_tokens: { list: "VARCHAR" },
      dom_excerpt: "VARCHAR",
      observation: "VARCHAR",
      url_changed: "BIGINT",
      stagnation: "BIGINT",
      iteration: "BIGINT",
      action_prev: "VARCHAR",
      label: "VARCHAR",
      label_missing: "VARCHAR",
    },
    jsonColumns: ["label"],
  },
  {
    name: "steps",
    columns: {
      ...step,
      success: "BOOLEAN",
      execution_time: "DOUBLE",
      html_length: "BIGINT",
      dom_length: "BIGINT",
      num_inputs: "BIGINT",
      num_buttons: "BIGINT",
      num_links: "BIGINT",
      num_textareas: "BIGINT",
      num_forms: "BIGINT",
      js_events: "VARCHAR",
      js_event_total: "BIGINT",
      action_type: "VARCHAR",
      action_x: "DOUBLE",
      action_y: "DOUBLE",
      has_selector: "BIGINT",
      backend_event_count_before: "BIGINT",
      backend_event_count_after: "BIGINT",
      backend_event_delta: "BIGINT",
      y_success: "BIGINT",
    },
    jsonColumns: ["js_events"],
  },
  {
    name: "pairs",
    columns: {
      pos_id: "VARCHAR",
      neg_id: "VARCHAR",
      scope: "VARCHAR",
      pos_score: "DOUBLE",
      neg_score: "DOUBLE",
      task_id: "VARCHAR",
      project_id: "VARCHAR",
      group: "VARCHAR",
    },
  },
  {
    name: "episodes",
    columns: {
      ...keys,
      browser: "BOOLEAN",
      instruction: "VARCHAR",
      agent: "VARCHAR",
      model: "VARCHAR",
      decided_by: "VARCHAR",
      num_steps: "BIGINT",
      final_score: "DOUBLE",
      raw_score: "DOUBLE",
      y_success: "BIGINT",
      evaluation_tests: "VARCHAR",
      checks: "VARCHAR",
      rechecks: "VARCHAR",
      disagreements: "BIGINT",
      steps: "VARCHAR",
    },
    jsonColumns: ["evaluation_tests", "checks", "rechecks", "steps"],
  },
] as const satisfies readonly TableDefinition[];

export type RewardModelTable = (typeof rewardModelTables)[number]["name"];
