import { packTask } from "@tracemill/core/harbor/archive.ts";
import { textFile } from "@tracemill/core/prepare/text-file.ts";
import type { DemoSolution, DemoTask } from "./content.ts";
import { bodyOf } from "./forms.ts";

export interface CatalogEntry {
  id: string;
  status: string;
  title?: string;
}

type Json = Record<string, unknown>;

/** What a production API knows, however it is kept. */
export interface Catalog {
  /** All tasks, in the order of the list. */
  readonly entries: readonly CatalogEntry[];
  task(id: string): Promise<Json | undefined>;
  /** `undefined` when there is no such task. */
  solutions(taskId: string): Promise<Json[] | undefined>;
}

const firstDay = Date.parse("2026-03-02T08:00:00Z");

/** The demo's own tasks, without what only its authors may see. */
export function contentCatalog(tasks: readonly DemoTask[]): Catalog {
  const byId = new Map(
    tasks.map((task, index) => [task.id, { task, createdAt: firstDay + index * 3_600_000 }]),
  );
  return {
    entries: tasks.map(({ id, status, title }) => ({ id, status, title })),
    async task(id) {
      const found = byId.get(id);
      return found && served(found.task, iso(found.createdAt));
    },
    async solutions(taskId) {
      const found = byId.get(taskId);
      return found?.task.solutions.map((solution, index) =>
        servedSolution(solution, found.task, iso(found.createdAt + (index + 1) * 600_000)),
      );
    },
  };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

async function served(task: DemoTask, createdAt: string): Promise<Json> {
  const { solutions, packed, ...shown } = task;
  const files = Object.entries(task.harbor?.files ?? {}).map(([path, text]) => textFile(path, text));
  const archive = packed ? Buffer.from(await packTask(files)).toString("base64") : undefined;
  return {
    ...shown,
    created_at: createdAt,
    solution_count: solutions.length,
    ...(archive === undefined ? {} : { harbor: { archive_base64: archive } }),
  };
}

function servedSolution(solution: DemoSolution, task: DemoTask, createdAt: string): Json {
  const { id, agent, model, evaluation } = solution;
  const body = bodyOf(solution, task, createdAt);
  return { id, task_id: task.id, agent, model, created_at: createdAt, ...body, evaluation };
}
