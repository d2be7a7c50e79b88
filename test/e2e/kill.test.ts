import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ProductionApi, startProductionApi } from "../servers/production-api.ts";
import { productionActivity } from "./production-activity.ts";
import {
  datasetOf,
  showTrials,
  startTracemill,
  tracemill,
  type UserMachine,
  userMachine,
} from "./tracemill.ts";

/** How often the whole test is repeated; raise it to look for rare faults. */
const rounds = Number(process.env.KILL_ROUNDS ?? 3);
const kills = 6;

const spec = `name: killed
source: { kind: prod, taskPageSize: 3 }
agents: [{ name: oracle }, { name: replay }, { name: recorded }]
concurrency: 2
export: { name: killed, formats: [sft, harbor, trials], splits: { train: 0.5, test: 0.5 }, seed: 3 }
`;

let api: ProductionApi;
let undisturbed: Comparable;
let lengthMs: number;

beforeAll(async () => {
  api = await startProductionApi({ ...productionActivity(8), quirks: { pageCap: 3 } });
  await using machine = await producing();
  const startedAt = performance.now();
  expect(await tracemill(machine, "run", "spec.yaml")).toMatchObject({ code: 0 });
  lengthMs = performance.now() - startedAt;
  undisturbed = await comparable(machine);
});

afterAll(() => api.close());

async function producing(): Promise<UserMachine> {
  const machine = await userMachine({
    TRACEMILL_PROD_BASE_URL: api.url,
    TRACEMILL_PROD_API_TOKEN: "secret-token",
  });
  await writeFile(join(machine.dir, "spec.yaml"), spec);
  return machine;
}

interface Comparable {
  trials: unknown[];
  messages: unknown[];
}

/** What a run came to, without what differs from run to run: ids, times, interrupted attempts. */
async function comparable(machine: UserMachine): Promise<Comparable> {
  const trials = (await showTrials(machine))
    .map(({ task, agent, solutionId, sample, outcome, reward }) =>
      JSON.stringify({ task, agent, solutionId, sample, outcome, reward }),
    )
    .toSorted();
  const { dir } = await datasetOf(machine);
  const splits = await Promise.all(
    ["train", "test"].map(async (split) => {
      const text = await readFile(join(dir, `jsonl/sft/${split}.jsonl`), "utf8");
      return text
        .trim()
        .split("\n")
        .map((line) => {
          const { messages, tools, reward, task } = JSON.parse(line) as Record<string, unknown>;
          return JSON.stringify({ split, messages, tools, reward, task });
        });
    }),
  );
  return { trials, messages: splits.flat().toSorted() };
}

/** Goes on with the run, or begins it when it was killed before it existed. */
async function continueArgs(machine: UserMachine): Promise<string[]> {
  const { stdout } = await tracemill(machine, "runs");
  return stdout.includes("run_") ? ["run", "--resume", "latest"] : ["run", "spec.yaml"];
}

async function runKilledAfter(machine: UserMachine, ms: number): Promise<void> {
  const { child, finished } = startTracemill(machine, await continueArgs(machine));
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  await finished;
  clearTimeout(timer);
}

describe("a run that is killed at random points and resumed", () => {
  test.each(Array.from({ length: rounds }, (_, round) => round))(
    "comes to what an undisturbed one does (round %i)",
    async () => {
      await using machine = await producing();
      for (let kill = 0; kill < kills; kill += 1) await runKilledAfter(machine, Math.random() * lengthMs);
      expect(await tracemill(machine, ...(await continueArgs(machine)))).toMatchObject({ code: 0 });
      expect(await comparable(machine)).toEqual(undisturbed);
      for (const { attempts } of await showTrials(machine)) {
        expect(attempts.map(({ attempt }) => attempt)).toEqual(attempts.map((_, index) => index + 1));
        expect(attempts.slice(0, -1).every(({ reason }) => reason?.includes("interrupted"))).toBe(true);
      }
    },
  );
});
