import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { latestSnapshot, readManifest } from "@tracemill/core/ingest/manifest.ts";
import type { Found } from "@tracemill/core/reward-model/found.ts";
import { episodesOfRun, episodesOfSnapshot } from "@tracemill/core/reward-model/inputs.ts";
import type { RewardModelInput } from "@tracemill/core/reward-model/manifest.ts";
import { type EpisodeLine, episodesOfLines } from "@tracemill/core/reward-model/read-files.ts";
import { findNewest } from "@tracemill/core/run/runs.ts";
import { lines } from "@tracemill/core/streams.ts";
import { chosenRun } from "../../chosen-run.ts";
import type { Home } from "../../context.ts";

/**
 * What a word of the command line means: a file or folder, a run, or a source.
 * @throws TracemillError `not-found`; `invalid-input` for a word that means several things.
 */
export async function inputOf(word: string, home: Home): Promise<RewardModelInput> {
  const [, prefix, name = word] = /^(source|run|file):(.+)$/s.exec(word) ?? [];
  if (prefix === "file") return fileInput(name);
  if (prefix === "run") return runInput(name, home);
  if (prefix === "source") return sourceInput(name, home);
  if (word === "latest" || word.startsWith("run_")) return runInput(word, home);
  const meanings = await meaningsOf(word, home);
  const [meaning, another] = meanings;
  if (another !== undefined) {
    const choices = meanings.map((kind) => `${kind}:${word}`).join(" or ");
    throw new TracemillError("invalid-input", `${word} may be several things; say ${choices}`);
  }
  if (meaning === "file") return fileInput(word);
  if (meaning === "run") return runInput(word, home);
  if (meaning === "source") return sourceInput(word, home);
  throw new TracemillError(
    "not-found",
    `${word}: no file, no source with a whole snapshot, and no run is called so; \`tracemill ingest\` makes a snapshot, \`tracemill runs${home.flags}\` lists runs`,
  );
}

async function meaningsOf(word: string, home: Home): Promise<("file" | "source" | "run")[]> {
  const isFile = (await stat(word).catch(() => undefined)) !== undefined;
  const isSource = (await latestSnapshot(home.records, word).catch(() => undefined)) !== undefined;
  const isRun = (await findNewest(home.records, ({ name }) => name === word)) !== undefined;
  return [
    ...(isFile ? ["file" as const] : []),
    ...(isSource ? ["source" as const] : []),
    ...(isRun ? ["run" as const] : []),
  ];
}

async function sourceInput(word: string, home: Home): Promise<RewardModelInput> {
  const [source = word, given] = word.split("@", 2);
  const snapshotId = given ?? (await latestSnapshot(home.records, source));
  if (snapshotId === undefined || (await readManifest(home.objects, source, snapshotId)) === undefined) {
    const which = given === undefined ? "a whole snapshot" : `a whole snapshot ${given}`;
    throw new TracemillError(
      "not-found",
      `source ${source} has not ${which} here; run \`tracemill ingest --source ${source}\` first`,
    );
  }
  return { kind: "snapshot", source, snapshotId };
}

async function runInput(reference: string, home: Home): Promise<RewardModelInput> {
  return { kind: "run", runId: (await chosenRun(reference, home)).runId };
}

/** @throws TracemillError `not-found` for a path that is not there, or a folder without episodes. */
async function fileInput(path: string): Promise<RewardModelInput> {
  await filesOf(path);
  return { kind: "files", path };
}

/** The episodes of an input. @throws what reading its kind throws. */
export function episodesOf(input: RewardModelInput, home: Home, signal: AbortSignal): AsyncIterable<Found> {
  if (input.kind === "snapshot") return episodesOfSnapshot(input, home.objects);
  if (input.kind === "run") return episodesOfRun(input.runId, { ...home, signal });
  return episodesOfLines(linesOf(input.path));
}

/** The same for several, one after another. */
export async function* episodesOfAll(
  inputs: readonly RewardModelInput[],
  home: Home,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  for (const input of inputs) yield* episodesOf(input, home, signal);
}

async function* linesOf(path: string): AsyncGenerator<EpisodeLine> {
  for (const file of await filesOf(path)) {
    let line = 0;
    try {
      for await (const text of lines(createReadStream(file))) {
        line += 1;
        yield { file, line, text };
      }
    } catch (error) {
      throw new TracemillError("invalid-input", `${file}: cannot be read (${messageOf(error)})`, {
        cause: error,
      });
    }
  }
}

/** A file, or the JSONL files of a folder in the order of their names; `…_old.jsonl` are dumps that were replaced. */
async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new TracemillError("not-found", `${path}: no such file or folder`);
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path)).filter(
    (name) => name.endsWith(".jsonl") && !name.endsWith("_old.jsonl"),
  );
  if (names.length > 0) return names.sort().map((name) => join(path, name));
  throw new TracemillError("not-found", `${path}: no .jsonl files of episodes in ${basename(path)}`);
}
