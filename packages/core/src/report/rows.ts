import type { ReportRow, Rows } from "./schema.ts";
import { addedCost, type Cell, type TaskFacts, type TaskTable } from "./task-table.ts";

/** Rows of a table that a report keeps: those of the lowest mean. */
const keptRows = 1_000;

interface Sums {
  row: ReportRow;
  n: number;
  sum: number;
}

export function rowsByTask(table: TaskTable): Rows {
  const rows = table.tasks().map(({ facts, cells }) => {
    const { hash, name, group } = facts;
    const sums = newSums({ name, hash, group });
    addTask(sums, facts, cells);
    return finished(sums);
  });
  return lowest(rows, table.size);
}

export function rowsBy(part: "group" | "source", table: TaskTable): Rows {
  const held = new Map<string, Sums>();
  for (const { facts, cells } of table.tasks()) {
    const name = facts[part];
    const sums = held.get(name) ?? newSums({ name, tasks: 0 });
    held.set(name, sums);
    addTask(sums, facts, cells);
    sums.row.tasks = (sums.row.tasks ?? 0) + 1;
  }
  return lowest(held.values().map(finished), held.size);
}

function newSums(names: Pick<ReportRow, "name" | "hash" | "group" | "tasks">): Sums {
  return { row: { ...names, trials: 0, failed: 0, agents: {} }, n: 0, sum: 0 };
}

function addTask(sums: Sums, facts: TaskFacts, cells: readonly [string, Cell][]): void {
  const { row } = sums;
  row.trials += facts.trials;
  row.failed += facts.failed;
  const costUsd = addedCost(row.costUsd, facts.costUsd);
  if (costUsd !== undefined) row.costUsd = costUsd;
  for (const [agent, { n, sum }] of cells) {
    if (n === 0) continue;
    const { n: before, mean } = row.agents[agent] ?? { n: 0, mean: 0 };
    row.agents[agent] = { n: before + n, mean: (before * mean + sum) / (before + n) };
    sums.n += n;
    sums.sum += sum;
  }
}

function finished({ row, n, sum }: Sums): ReportRow {
  return n === 0 ? row : { ...row, mean: sum / n };
}

/** Without any reward first, then the lowest mean, then the most failures. Holds twice what it keeps. */
function lowest(rows: Iterable<ReportRow>, total: number): Rows {
  let kept: ReportRow[] = [];
  const cut = (): void => {
    kept = kept.sort(worseFirst).slice(0, keptRows);
  };
  for (const row of rows) {
    kept.push(row);
    if (kept.length >= 2 * keptRows) cut();
  }
  cut();
  return { total, rows: kept };
}

function worseFirst(a: ReportRow, b: ReportRow): number {
  const [first, second] = [a.mean ?? Number.NEGATIVE_INFINITY, b.mean ?? Number.NEGATIVE_INFINITY];
  if (first !== second) return first < second ? -1 : 1;
  if (a.failed !== b.failed) return b.failed - a.failed;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
