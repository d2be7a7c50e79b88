import { parseDocument } from "yaml";
import * as z from "zod";
import { messageOf, TracemillError } from "../errors.ts";

const Service = z.looseObject({
  image: z.string().optional(),
  build: z.unknown().optional(),
  command: z.unknown().optional(),
  extends: z.unknown().optional(),
  env_file: z.unknown().optional(),
  label_file: z.unknown().optional(),
});

const ComposeFile = z.looseObject({
  include: z.unknown().optional(),
  services: z.record(z.string(), Service.nullable()).default({}),
});

/** A task's compose file as it was written: before variables are filled in and short forms are made long. */
export type ComposeFile = z.infer<typeof ComposeFile>;

/**
 * Parses a compose file, and refuses what makes the compose program itself read files outside the task's folder.
 * Write the result as JSON for that program, so that it reads what was checked here.
 * @throws TracemillError `invalid-task` (no compose file), `unsupported`; both name the key.
 */
export function readComposeFile(text: string): ComposeFile {
  const document = parseDocument(text, { merge: true, stringKeys: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw invalid(problem.message);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases of aliases that would fill the memory.
    throw invalid(messageOf(error));
  }
  const parsed = ComposeFile.safeParse(value ?? {});
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  if (parsed.data.include !== undefined) throw unsupported("include");
  for (const [name, service] of Object.entries(parsed.data.services)) checkReads(name, service ?? {});
  return parsed.data;
}

function checkReads(name: string, service: z.infer<typeof Service>): void {
  const { extends: base, env_file: envFile, label_file: labelFile } = service;
  if (z.looseObject({ file: z.unknown() }).safeParse(base).data?.file !== undefined) {
    throw unsupported(`services.${name}.extends.file`);
  }
  for (const path of pathsOf(envFile)) checkInside(path, `services.${name}.env_file`);
  for (const path of pathsOf(labelFile)) checkInside(path, `services.${name}.label_file`);
}

/** A path, a list of paths, or a list of objects with a path. */
function pathsOf(value: unknown): unknown[] {
  if (value == null) return [];
  return [value]
    .flat()
    .map((item) => z.looseObject({ path: z.unknown() }).safeParse(item).data?.path ?? item);
}

function checkInside(path: unknown, key: string): void {
  const isInside =
    typeof path === "string" &&
    !path.startsWith("/") &&
    !/[$~\\]/.test(path) &&
    !path.split("/").includes("..");
  if (isInside) return;
  throw new TracemillError(
    "unsupported",
    `docker-compose.yaml: ${key}: a file outside the task's environment folder; put it there, and name it by a relative path without variables`,
  );
}

function invalid(what: string): TracemillError {
  return new TracemillError("invalid-task", `docker-compose.yaml: ${what}`);
}

function unsupported(key: string): TracemillError {
  return new TracemillError(
    "unsupported",
    `docker-compose.yaml: ${key} is not supported; write its services into this file`,
  );
}
