import { mkdir, open, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { WritableJob, WrittenFile } from "@tracemill/core/harbor/jobs/folder.ts";
import { hasErrno, onDiskAsync } from "./disk.ts";
import { cleanLeftovers, tempName } from "./disk-temp.ts";
import { DiskWriter } from "./disk-writer.ts";

export interface JobTarget extends WritableJob, AsyncDisposable {
  /** Where the job's folder is, once it is committed. */
  path: string;
  /** Puts a new job's folder in its place. Without it, disposal leaves nothing of a new job. */
  commit(): Promise<void>;
}

/** Beside the jobs, on the same disk. Not among the trials: a viewer takes any folder there for one. */
const stagingFolder = ".tracemill-tmp";

/**
 * Opens `<jobsDir>/<jobName>` for a job. A new job is built beside its place and comes there whole; one that is there
 * is brought up to date trial by trial, and keeps what others have put beside the trials.
 * @throws TracemillError `conflict` when another job, or something else, is there.
 */
export async function openJobTarget(jobsDir: string, jobName: string, jobId: string): Promise<JobTarget> {
  const path = resolve(jobsDir, jobName);
  const isThere = await isOurJob(path, jobId);
  const staging = resolve(jobsDir, stagingFolder);
  cleanLeftovers(staging);
  const temp = join(staging, tempName());
  const root = isThere ? path : join(temp, "job");
  await onDiskAsync(temp, () => mkdir(join(temp, "job"), { recursive: true }));
  return {
    path,
    currentTrial: (name) => readText(join(root, name, "result.json")),
    writeTrial: (name, files) => writeTrial(root, name, files, join(temp, name)),
    writeFile: (name, body) => writeWhole(root, name, body, join(temp, name)),
    async commit() {
      if (!isThere) await moved(root, path);
    },
    async [Symbol.asyncDispose]() {
      await rm(temp, { recursive: true, force: true });
      // Another export may be at work beside this one.
      await rmdir(staging).catch(() => undefined);
    },
  };
}

async function moved(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!hasErrno(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) throw error;
    throw new TracemillError(
      "conflict",
      `${to}: something came there meanwhile; run the same command again`,
      {
        cause: error,
      },
    );
  }
}

async function isOurJob(path: string, jobId: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return false;
  const text = info.isDirectory() ? await readText(join(path, "result.json")) : undefined;
  if (idIn(text) === jobId) return true;
  const what = info.isDirectory() ? "a folder that is not this run's job" : "a file";
  throw new TracemillError(
    "conflict",
    `${path}: ${what} is there; give another --job-name, or another folder`,
  );
}

function idIn(text: string | undefined): unknown {
  try {
    return (JSON.parse(text ?? "null") as { id?: unknown } | null)?.id;
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function writeTrial(
  root: string,
  name: string,
  files: AsyncIterable<WrittenFile>,
  part: string,
): Promise<void> {
  await onDiskAsync(part, () => mkdir(join(part, "agent"), { recursive: true }));
  for await (const { path, body } of files) await writeFileAt(part, path, body);
  await onDiskAsync(join(root, name), () => replaced(part, join(root, name)));
}

/** A folder cannot be renamed over one that holds something: the old one steps aside first. */
async function replaced(part: string, place: string): Promise<void> {
  await rename(place, `${part}.old`).catch((error: unknown) => {
    if (!hasErrno(error, "ENOENT")) throw error;
  });
  await rename(part, place);
}

async function writeWhole(
  root: string,
  name: string,
  body: string | AsyncIterable<string>,
  temp: string,
): Promise<void> {
  await writeFileAt(dirname(temp), basename(temp), typeof body === "string" ? body : encoded(body));
  await onDiskAsync(join(root, name), () => rename(temp, join(root, name)));
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

/** @throws TracemillError `invalid-input` for a path that leads out of the folder. */
async function writeFileAt(root: string, name: string, body: WrittenFile["body"]): Promise<void> {
  if (name.split("/").some((segment) => ["", ".", ".."].includes(segment)))
    throw new TracemillError("invalid-input", `${name}: no path below a trial folder`);
  const path = join(root, name);
  await onDiskAsync(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await using handle = await open(path, "wx");
    const writer = new DiskWriter(handle, path);
    const chunks =
      typeof body === "string" ? [Buffer.from(body)] : body instanceof Uint8Array ? [body] : body;
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.flush();
  });
}
