import { eligibleK, passAtK } from "./pass-at-k.ts";
import type { AgentReport, Comparison, PassAtK, RewardEstimate } from "./schema.ts";
import type { Cell } from "./task-table.ts";

/**
 * Mean reward over trials, with its standard error clustered by task: the square root of
 * g / (g - 1) · Σ (sum of the task's deviations)², divided by n, for g tasks and n trials.
 */
export function clusteredMean(cells: Iterable<Cell>): RewardEstimate | undefined {
  let [n, sum, tasks] = [0, 0, 0];
  const held = [...cells].filter((cell) => cell.n > 0);
  for (const cell of held) {
    n += cell.n;
    sum += cell.sum;
    tasks += 1;
  }
  if (n === 0) return undefined;
  const mean = sum / n;
  if (tasks < 2) return { n, tasks, mean };
  let squares = 0;
  for (const cell of held) squares += (cell.sum - cell.n * mean) ** 2;
  return { n, tasks, mean, stderr: Math.sqrt((squares * tasks) / (tasks - 1)) / n };
}

/** pass@1 and Harbor's further k, each over the tasks that have k rewarded samples at least. */
export function passRates(cells: Iterable<Cell>): PassAtK[] {
  const held = [...cells].filter((cell) => cell.n > 0);
  let most = 0;
  for (const { n } of held) most = Math.max(most, n);
  if (most === 0) return [];
  return [1, ...eligibleK(most)].map((k) => {
    const enough = held.filter(({ n }) => n >= k);
    const sum = enough.reduce((total, { n, passes }) => total + passAtK(n, passes, k), 0);
    return { k, value: sum / enough.length, tasks: enough.length };
  });
}

export function solvedTasks(cells: Iterable<Cell>): NonNullable<AgentReport["solved"]> {
  const solved = { always: 0, sometimes: 0, never: 0 };
  for (const { n, passes } of cells) {
    if (n === 0) continue;
    solved[passes === n ? "always" : passes === 0 ? "never" : "sometimes"] += 1;
  }
  return solved;
}

/** Paired by task: how much better `a` does than `b` where both have rewards. `undefined` where they never meet. */
export function comparePaired(
  [a, ofA]: [string, Iterable<Cell>],
  [b, ofB]: [string, Iterable<Cell>],
): Comparison | undefined {
  const differences: number[] = [];
  const others = Iterator.from(ofB);
  for (const cell of ofA) {
    const other = others.next().value;
    if (other !== undefined && cell.n > 0 && other.n > 0)
      differences.push(cell.sum / cell.n - other.sum / other.n);
  }
  const tasks = differences.length;
  if (tasks === 0) return undefined;
  const difference = differences.reduce((total, each) => total + each, 0) / tasks;
  const squares = differences.reduce((total, each) => total + (each - difference) ** 2, 0);
  const better = differences.filter((each) => each > 0).length;
  const worse = differences.filter((each) => each < 0).length;
  return {
    a,
    b,
    tasks,
    difference,
    ...(tasks < 2 ? {} : { stderr: Math.sqrt(squares / (tasks - 1) / tasks) }),
    better,
    equal: tasks - better - worse,
    worse,
  };
}
