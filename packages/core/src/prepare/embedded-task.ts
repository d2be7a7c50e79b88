import { TracemillError } from "../errors.ts";
import { unpackTask } from "../harbor/archive.ts";
import type { TaskFile } from "../harbor/task-files.ts";
import type { Task } from "../production/schemas.ts";
import { textFile } from "./text-file.ts";

/** Whether a row brings a whole Harbor task of its own. */
export function hasEmbeddedTask({ harbor }: Task): boolean {
  return Boolean(harbor?.archive_base64) || Object.keys(harbor?.files ?? {}).length > 0;
}

/**
 * The files of a Harbor task that a row brings: `harbor.files`, else `harbor.archive_base64`. They stay as
 * they are, so that the task keeps its content hash.
 * @throws TracemillError `invalid-task`, `invalid-archive`.
 */
export async function embeddedTaskFiles({ id, harbor }: Task): Promise<TaskFile[]> {
  const texts = Object.entries(harbor?.files ?? {});
  if (texts.length > 0) return texts.map(([path, text]) => textFile(path, text));
  const base64 = (harbor?.archive_base64 ?? "").replaceAll(/\s+/g, "");
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(base64)) {
    throw new TracemillError("invalid-task", `${id}: \`harbor.archive_base64\` is not base64`);
  }
  return withoutWrapper(await unpackTask(Buffer.from(base64, "base64"), `${id}: \`harbor.archive_base64\``));
}

/** Archives are often made of the folder rather than of what is in it. */
function withoutWrapper(files: TaskFile[]): TaskFile[] {
  const inner = files.find(({ path }) => /^[^/]+\/task\.toml$/.test(path));
  if (inner === undefined) return files;
  const wrapper = inner.path.slice(0, inner.path.indexOf("/") + 1);
  if (!files.every(({ path }) => path.startsWith(wrapper))) return files;
  return files.map((file) => ({ ...file, path: file.path.slice(wrapper.length) }));
}
