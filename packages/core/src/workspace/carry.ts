import { collect } from "../streams.ts";
import {
  contentReason,
  hookReason,
  inspectedBytes,
  isCompiledPython,
  isProgramPath,
  needsInspection,
  notWorkspaceFolder,
  shadowedCommands,
} from "./carry-rules.ts";
import { type LayerEntry, readLayer, writeLayer } from "./layer.ts";

export interface CarryPolicy {
  /** Whether the verification sandbox, before any change, holds something at this absolute path. */
  baseHas(path: string): Promise<boolean>;
}

export interface NotCarried {
  path: string;
  reason: string;
}

/** More refusals than this are counted, not listed: a record stays small whatever an agent does. */
const listed = 200;

/**
 * Filters the changes that an agent made (a tar in OCI layer convention) before they are laid over the fresh
 * sandbox that judges them.
 *
 * Left out are the verification's own folders, what loaders, shells and test runners would pick up by
 * themselves, changes to programs that the base has, and new commands that would stand in for the base's. New
 * programs and libraries are carried, and so is everything in the task's own folders: a `conftest.py` in
 * `/app` is the task's business.
 * @returns the filtered tar, and what was left out; that list is complete once the tar has been read.
 * @throws TracemillError `invalid-archive` while the tar is read.
 */
export function carriedIntoVerification(
  tar: AsyncIterable<Uint8Array>,
  policy: CarryPolicy,
): { tar: AsyncIterable<Uint8Array>; notCarried: NotCarried[] } {
  const refusals = new Refusals();
  return { tar: writeLayer(carried(tar, policy, refusals)), notCarried: refusals.list };
}

async function* carried(
  tar: AsyncIterable<Uint8Array>,
  policy: CarryPolicy,
  refusals: Refusals,
): AsyncGenerator<LayerEntry> {
  const replaced: string[] = [];
  for await (const entry of readLayer(tar)) {
    if (await isPassedOver(entry, policy, refusals)) continue;
    const reason = isBelow(entry.path, replaced)
      ? "a folder above it replaces one of the base"
      : await refusal(entry, policy);
    if (reason !== undefined) {
      refusals.add(entry.path, reason);
      if (entry.type === "whiteout") replaced.push(entry.path);
    } else if (entry.type === "file" && needsInspection(entry.path)) {
      yield* inspected(entry, refusals);
    } else yield entry;
  }
  refusals.finish();
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** Whether the entry is of a kind that is only counted, or a folder that the base has anyway. */
async function isPassedOver(
  { type, path }: LayerEntry,
  { baseHas }: CarryPolicy,
  refusals: Refusals,
): Promise<boolean> {
  const folder = notWorkspaceFolder(path);
  if (folder !== undefined) {
    if (type !== "directory") refusals.count(folder.name, `is ${folder.owner}`);
    return true;
  }
  if (isCompiledPython(path)) {
    refusals.count("*.pyc", "in program folders: Python makes them again");
    return true;
  }
  return type === "directory" && (path === "" || (isProgramPath(path) && (await baseHas(`/${path}`))));
}

async function refusal(entry: LayerEntry, { baseHas }: CarryPolicy): Promise<string | undefined> {
  const hook = hookReason(entry.path);
  if (hook !== undefined && entry.type !== "directory") return hook;
  for (const command of shadowedCommands(entry.path)) {
    if (await baseHas(command)) return `it would stand in for the base's ${command}`;
  }
  if (!isProgramPath(entry.path) || !(await baseHas(`/${entry.path}`))) return undefined;
  return "the base has it: programs that the verifier uses stay as they are";
}

async function* inspected(
  entry: Extract<LayerEntry, { type: "file" }>,
  refusals: Refusals,
): AsyncGenerator<LayerEntry> {
  if (entry.size > inspectedBytes) {
    refusals.add(entry.path, `larger than ${inspectedBytes} bytes, so its content was not checked`);
    return;
  }
  const content = await collect(entry.body);
  const reason = contentReason(entry.path, content.toString("utf8"));
  if (reason !== undefined) refusals.add(entry.path, reason);
  else yield { ...entry, body: once(content) };
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

class Refusals {
  readonly list: NotCarried[] = [];
  readonly #counts = new Map<string, { reason: string; count: number }>();
  #unlisted = 0;

  add(path: string, reason: string): void {
    if (this.list.length < listed) this.list.push({ path: `/${path}`, reason });
    else this.#unlisted += 1;
  }

  count(name: string, reason: string): void {
    const seen = this.#counts.get(name) ?? { reason, count: 0 };
    seen.count += 1;
    this.#counts.set(name, seen);
  }

  finish(): void {
    for (const [path, { reason, count }] of this.#counts) {
      this.list.push({ path, reason: `${count} ${count === 1 ? "change" : "changes"}: ${reason}` });
    }
    if (this.#unlisted > 0)
      this.list.push({ path: "…", reason: `${this.#unlisted} more changes of this kind` });
  }
}
