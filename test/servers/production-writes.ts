import type { IncomingMessage } from "node:http";

type Item = Record<string, unknown>;

/** What becomes of one write: it is taken, or refused, and then answered or not. */
export interface WriteFate {
  /** Whether the write takes effect. */
  takes: boolean;
  /** `cut`: the connection; `empty`: 200 without a body; else a status. */
  answer: "ok" | "cut" | "empty" | 429 | 500 | 503;
}

export interface WriteQuirks {
  /** The fates of the first writes, in order; those after them are taken and answered. */
  fates?: WriteFate[];
  /** The same `Idempotency-Key` gives the same thing again. Default: true. */
  honoursKey?: boolean;
  /** Fields that it does not know are kept. Default: true. */
  keepsReference?: boolean;
  /** Who has claimed a task, by its id. */
  claimed?: Record<string, string>;
  /** Statuses of an evaluation, one for each time that the solution is asked for; the last one stays. */
  evaluations?: string[];
}

export interface WriteState {
  made: Map<string, Item>;
  writes: number;
  /** How often each solution was asked for. */
  asked: Map<string, number>;
}

export interface WriteTarget {
  tasks: unknown[];
  solutions: Record<string, unknown[]>;
}

export interface WriteReply {
  status: number | "cut";
  body: unknown;
}

/** The fields of a write: JSON, or the JSON part and the files of a multipart form. */
export async function readWrite(request: IncomingMessage, bytes: Buffer): Promise<Item> {
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/")) return bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Item);
  const form = await new Response(new Uint8Array(bytes), { headers: { "content-type": type } }).formData();
  const fields: Item = {};
  const files: Item[] = [];
  for (const [name, value] of form) {
    if (typeof value === "string") fields[name] = value;
    else if (value.type === "application/json") Object.assign(fields, JSON.parse(await value.text()) as Item);
    else files.push({ field: name, name: value.name, size: value.size });
  }
  return { ...fields, files };
}

/** Takes a write as the quirks say. `path` is what follows the base URL, split. */
export function takeWrite(
  path: readonly string[],
  { key, body }: { key: string; body: Item },
  target: WriteTarget,
  quirks: WriteQuirks,
  state: WriteState,
): WriteReply {
  const fate = quirks.fates?.[state.writes] ?? { takes: true, answer: "ok" };
  state.writes += 1;
  const known = quirks.honoursKey === false ? undefined : state.made.get(key);
  const refused = known === undefined && fate.takes ? refusalOf(path, body, quirks) : undefined;
  if (refused !== undefined) return refused;
  const made = known ?? (fate.takes ? make(path, body, target, quirks, state) : undefined);
  if (made !== undefined) state.made.set(key, made);
  if (fate.answer === "cut") return { status: "cut", body: {} };
  if (fate.answer === "empty") return { status: 200, body: "" };
  if (fate.answer !== "ok") return { status: fate.answer, body: { error: "told to" } };
  return made === undefined ? { status: 500, body: { error: "lost" } } : { status: 201, body: made };
}

function refusalOf(
  [, id = "", action]: readonly string[],
  body: Item,
  quirks: WriteQuirks,
): WriteReply | undefined {
  const holder = quirks.claimed?.[id];
  if (action !== "claim" || holder === undefined || holder === body.client_ref) return undefined;
  return { status: 409, body: { error: "claimed", claimed_by: holder } };
}

function make(
  [, id, action]: readonly string[],
  body: Item,
  target: WriteTarget,
  quirks: WriteQuirks,
  state: WriteState,
): Item {
  const { client_ref: reference, ...rest } = body;
  const kept = quirks.keepsReference === false ? rest : body;
  if (action === "claim") {
    quirks.claimed = { ...quirks.claimed, [id ?? ""]: String(reference) };
    const task = (target.tasks as Item[]).find((each) => String(each.id) === id);
    if (task !== undefined && quirks.keepsReference !== false) task.claim = { client_ref: reference };
    return { claim_id: `c-${state.writes}` };
  }
  if (id === undefined) {
    const task = { id: `t-${state.writes}`, status: "open", ...kept };
    target.tasks.push(task);
    return task;
  }
  const solution = { id: `s-${state.writes}`, task_id: id, ...kept };
  target.solutions[id] = [...(target.solutions[id] ?? []), solution];
  return { solution };
}

/** A solution as it is when it is asked for once more. */
export function withEvaluation<R extends { status: number | "cut"; body: unknown }>(
  reply: R,
  id: string,
  quirks: WriteQuirks | undefined,
  { asked }: WriteState,
): R {
  if (quirks?.evaluations === undefined || reply.status !== 200) return reply;
  const times = asked.get(id) ?? 0;
  asked.set(id, times + 1);
  const status = quirks.evaluations[Math.min(times, quirks.evaluations.length - 1)];
  return { ...reply, body: { ...(reply.body as Item), evaluation: { status } } };
}
