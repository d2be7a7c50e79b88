import { TracemillError } from "../errors.ts";
import { escapeId, type ProductionClient } from "../ingest/client.ts";
import { isObject } from "../ingest/json.ts";
import type { UploadFile } from "../ingest/request.ts";
import { canonicalJson } from "../run/spec.ts";
import { answerId } from "./answer-id.ts";
import {
  isWritten,
  REFERENCE_FIELD,
  type Write,
  type WriteDeps,
  type Written,
  writeKey,
  writeOnce,
} from "./write-once.ts";

/** A file that goes with a solution. */
export interface SolutionFile extends UploadFile {
  /** SHA-256 of its bytes, in hex: part of what makes two submissions the same. */
  sha256: string;
}

export interface Submission {
  taskId: string;
  /** Without `id`, which the API gives. */
  solution: Record<string, unknown>;
  files?: readonly SolutionFile[];
}

/**
 * `POST /tasks/{id}/solutions`: submits a solution, once. Equal content for the same task is the same submission.
 * With files the request is `multipart/form-data`: the JSON in the part `solution`, the files after it, streamed.
 * @returns the solution's id, and whether it had been submitted before.
 * @throws TracemillError as `writeOnce`.
 */
export function submitSolution(
  { taskId, solution, files = [] }: Submission,
  deps: WriteDeps,
): Promise<Written> {
  const { client } = deps;
  const contents = files.map(({ name, sha256 }) => `${name} ${sha256}`);
  const write: Omit<Write, "look"> = {
    kind: "solution",
    key: writeKey(deps, "solution", taskId, canonicalJson(solution), ...contents),
    path: `/tasks/${escapeId(taskId)}/solutions`,
    body: solution,
    files,
    idIn: (answer) => answerId(answer, ["solution_id", "solutionId"]),
  };
  return writeOnce({ ...write, look: () => findSolution(taskId, write, client) }, deps);
}

async function findSolution(
  taskId: string,
  write: Pick<Write, "key" | "body">,
  client: ProductionClient,
): Promise<Record<string, unknown> | undefined> {
  for (const entry of await client.solutions(taskId))
    if (isObject(entry) && isWritten(entry, write)) return entry;
  return undefined;
}

/**
 * `POST /tasks`: creates a task, once.
 * @returns the task's id, and whether it had been created before.
 * @throws TracemillError as `writeOnce`.
 */
export function createTask(task: Record<string, unknown>, deps: WriteDeps): Promise<Written> {
  const { client } = deps;
  const write: Omit<Write, "look"> = {
    kind: "task",
    key: writeKey(deps, "task", canonicalJson(task)),
    path: "/tasks",
    body: task,
    idIn: (answer) => answerId(answer, ["task_id", "taskId"]),
  };
  return writeOnce({ ...write, look: () => findTask(write, client) }, deps);
}

/** One page of what the API finds by the reference: a new task is among the first, if it can be searched at all. */
async function findTask(
  write: Pick<Write, "key" | "body">,
  client: ProductionClient,
): Promise<Record<string, unknown> | undefined> {
  for await (const { items } of client.tasks({ search: write.key })) {
    return items.filter(isObject).find((entry) => isWritten(entry, write));
  }
  return undefined;
}

/**
 * `POST /tasks/{id}/claim`: takes a task for this source's user, once.
 * @returns the claim's id (the task's own where the API gives none), and whether it was ours before.
 * @throws TracemillError `conflict` when somebody else has it; as `writeOnce`.
 */
export function claimTask(taskId: string, deps: WriteDeps): Promise<Written> {
  const { client } = deps;
  const key = writeKey(deps, "claim", taskId);
  const look = async (): Promise<Record<string, unknown> | undefined> => {
    const task = await client.task(taskId);
    return task !== undefined && isOurs(task, key) ? task : undefined;
  };
  return writeOnce(
    {
      kind: "claim",
      key,
      path: `/tasks/${escapeId(taskId)}/claim`,
      body: {},
      expected: [409],
      look,
      async idIn(answer, status) {
        if (status === 409 && !isOurs(answer, key) && (await look()) === undefined)
          throw taken(taskId, answer);
        return answerId(answer, ["claim_id", "claimId"]) ?? taskId;
      },
    },
    deps,
  );
}

/** A claim shows the reference that it was made with, in the task or in one of the usual places in it. */
function isOurs(entry: unknown, key: string): boolean {
  if (!isObject(entry)) return false;
  const places = [entry, entry.claim, entry.claimed_by, entry.task, entry.data].filter(isObject);
  return places.some((place) => place[REFERENCE_FIELD] === key || place.claim_ref === key);
}

function taken(taskId: string, answer: unknown): TracemillError {
  const by = isObject(answer) ? answer.claimed_by : undefined;
  const who = typeof by === "string" ? by : "somebody else";
  return new TracemillError("conflict", `task ${taskId} is claimed by ${who}; claim another one`);
}
