import type { TaskFile } from "../harbor/task-files.ts";

/** A task file from text. Rows carry no modes: shell scripts and files with a `#!` line may be executed. */
export function textFile(path: string, text: string): TaskFile {
  const isProgram = path.endsWith(".sh") || text.startsWith("#!");
  return { path, content: Buffer.from(text), mode: isProgram ? 0o755 : 0o644 };
}
