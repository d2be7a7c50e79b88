import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { lines } from "@tracemill/core/streams.ts";
import type Docker from "dockerode";
import * as z from "zod";
import type { ContextFile } from "../dockerfile/context.ts";
import { BoundedOutput } from "../namespace/output.ts";
import { buildContext } from "./build-context.ts";
import { type BuildEnd, buildFailure } from "./build-failure.ts";
import { engineWords } from "./engine.ts";
import { beforeAbort } from "./shared-work.ts";

export interface BuildOptions {
  /** Text of the Dockerfile, which is among `files`. */
  dockerfile: string;
  files: readonly ContextFile[];
  labels: Readonly<Record<string, string>>;
  /** Names the image when it is done. Default: it has its id only. */
  tag?: string;
  /** Where the output is kept: its first and last halves, 4 MiB at most. */
  logFile: string;
  timeoutSec: number;
  signal?: AbortSignal | undefined;
}

const keptBytes = 4 * 1024 * 1024;
const shownBytes = 4096;

/** A line of the answer to `POST /build`. */
const Progress = z.looseObject({
  stream: z.string().optional(),
  error: z.string().optional(),
  aux: z.looseObject({ ID: z.string().optional() }).optional(),
});

/**
 * Builds an image with the engine's classic builder, which every engine has.
 * @returns the image's id.
 * @throws TracemillError `sandbox-failed` (an instruction that fails, or the time ran out) and `invalid-task` (one that
 * cannot work), with the instruction, its line, the end of the output, and where all of it is.
 */
export async function buildImage(docker: Docker, options: BuildOptions): Promise<string> {
  const { signal, timeoutSec, logFile } = options;
  signal?.throwIfAborted();
  const late = AbortSignal.timeout(Math.min(timeoutSec * 1_000, 2 ** 31 - 1));
  // The builder ends, and its container with it, when the request is cut.
  const abortSignal = signal === undefined ? late : AbortSignal.any([late, signal]);
  const log = new BuildLog();
  let end: BuildEnd;
  try {
    end = await runBuild(docker, options, log, abortSignal);
  } catch (error) {
    end = late.aborted ? { kind: "late", timeoutSec } : { kind: "error", message: engineWords(error), error };
  }
  await keep(logFile, log);
  if (end.kind === "built") return end.id;
  signal?.throwIfAborted();
  throw buildFailure(options.dockerfile, end, { step: log.step, tail: log.tail(), logFile });
}

async function runBuild(
  docker: Docker,
  { files, labels, tag }: BuildOptions,
  log: BuildLog,
  abortSignal: AbortSignal,
): Promise<BuildEnd> {
  const started = docker.buildImage(Readable.from(buildContext(files), { objectMode: false }), {
    labels: { ...labels },
    rm: true,
    forcerm: true,
    abortSignal,
    ...(tag === undefined ? {} : { t: tag }),
  });
  // The client library waits for ever for an answer to a request that was cut while it was sent.
  const output = Readable.from(await beforeAbort(started, abortSignal), { objectMode: false });
  const cut = (): void => {
    output.destroy(new Error("the build was ended"));
  };
  abortSignal.addEventListener("abort", cut, { once: true });
  try {
    return await followBuild(output, log);
  } finally {
    abortSignal.removeEventListener("abort", cut);
  }
}

async function followBuild(output: AsyncIterable<Uint8Array>, log: BuildLog): Promise<BuildEnd> {
  let id: string | undefined;
  for await (const line of lines(output)) {
    const said = parseProgress(line);
    log.add(said.stream ?? "");
    if (said.error !== undefined) return { kind: "error", message: said.error };
    id = said.aux?.ID ?? id;
  }
  if (id === undefined) throw new Error("the engine ended the build without a word");
  return { kind: "built", id };
}

function parseProgress(line: string): z.infer<typeof Progress> {
  try {
    return Progress.parse(JSON.parse(line));
  } catch (error) {
    return { stream: `${line}\n(not understood: ${messageOf(error)})\n` };
  }
}

/** What the builder itself says. */
const noise = /^ ---> .*$|^Removing intermediate container .*$/gm;

/** Output of a build, and how far it has come. */
class BuildLog {
  /** The number of the instruction that runs, from 1. */
  step = 0;
  readonly #all = new BoundedOutput(keptBytes);
  #step = new BoundedOutput(2 * shownBytes);

  add(text: string): void {
    const step = /^Step (\d+)\/\d+ : /.exec(text)?.[1];
    const bytes = Buffer.from(text);
    this.#all.add(bytes);
    if (step === undefined) {
      this.#step.add(bytes);
      return;
    }
    this.step = Number(step);
    this.#step = new BoundedOutput(2 * shownBytes);
  }

  /** The end of what the current instruction has printed. */
  tail(): string {
    const plain = stripVTControlCharacters(this.#step.text());
    return plain.replaceAll(noise, "").trim().slice(-shownBytes);
  }

  text(): string {
    return this.#all.text();
  }
}

/** Without secrets, which a build may print. A log that cannot be kept is no reason to fail. */
async function keep(logFile: string, log: BuildLog): Promise<void> {
  try {
    await mkdir(dirname(logFile), { recursive: true });
    await writeFile(logFile, createRedactor().text(log.text()));
  } catch (error) {
    throw new TracemillError("storage-full", `${logFile}: ${messageOf(error)}`, { cause: error });
  }
}
