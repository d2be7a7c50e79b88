import { TracemillError } from "@tracemill/core/errors.ts";
import { collect } from "@tracemill/core/streams.ts";
import { isReservedName } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import * as z from "zod";
import { callEngine } from "./engine.ts";

/** What the engine says of a path: changed, added, deleted. Without the slash at its start. */
export interface ChangedPath {
  path: string;
  kind: "changed" | "added" | "deleted";
}

const kinds = ["changed", "added", "deleted"] as const;
const Answer = z.array(z.looseObject({ Path: z.string(), Kind: z.number().int().min(0).max(2) })).nullable();

/** Of the engine's answer: some three million paths. It is held in memory. */
const maxAnswerBytes = 256 * 1024 * 1024;

/** An engine looks through the whole environment for changes. */
const listMs = 600_000;

/** Plumbing: mounts of the container and what lives only while it runs. */
const notKept = new Set(["proc", "sys", "dev", "run"]);

/** Files that the engine mounts in containers with a network: they belong to the machine, not to the work. */
export const machineFiles: readonly string[] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/**
 * What differs from the image, sorted by path component. Names that are no UTF-8, or that a layer would take for a
 * deletion, are left out.
 * @throws TracemillError `sandbox-failed` when there is too much of it.
 */
export async function changedPaths(
  container: Docker.Container,
  exclude: readonly string[],
): Promise<ChangedPath[]> {
  const isKept = keeper(exclude);
  const answer = await callEngine("listing the changes", () => listChanges(container), { ms: listMs });
  return answer.filter(({ path }) => path !== "" && isKept(path)).sort(byComponent);
}

/** Whether a path is part of a workspace. @param exclude absolute path prefixes to leave out. */
export function keeper(exclude: readonly string[]): (path: string) => boolean {
  const prefixes = exclude.map((prefix) => prefix.replaceAll(/^\/+|\/+$/g, ""));
  return (path) =>
    !notKept.has(path.split("/", 1)[0] ?? "") &&
    !machineFiles.includes(path) &&
    !prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)) &&
    !path.split("/").some((name) => isReservedName(name) || name.includes("\uFFFD"));
}

async function listChanges(container: Docker.Container): Promise<ChangedPath[]> {
  const stream = await new Promise<AsyncIterable<Uint8Array>>((resolve, reject) => {
    container.modem.dial(
      {
        path: `/containers/${container.id}/changes`,
        method: "GET",
        isStream: true,
        statusCodes: { 200: true, 404: "no such container", 500: "server error" },
      },
      (error: unknown, answer: unknown) =>
        error == null ? resolve(answer as AsyncIterable<Uint8Array>) : reject(error as Error),
    );
  });
  const text = (await collect(bounded(stream))).toString("utf8");
  const found = Answer.parse(JSON.parse(text)) ?? [];
  return found.map(({ Path, Kind }) => ({ path: Path.slice(1), kind: kinds[Kind] ?? "changed" }));
}

async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > maxAnswerBytes) {
      throw new TracemillError(
        "sandbox-failed",
        `the workspace is too large: the list of what has changed is longer than ${maxAnswerBytes} bytes`,
      );
    }
    yield chunk;
  }
}

/** A slash sorts before every other byte, so that what is in a folder follows it at once. */
function byComponent({ path: a }: ChangedPath, { path: b }: ChangedPath): number {
  return Buffer.compare(Buffer.from(a.replaceAll("/", "\0")), Buffer.from(b.replaceAll("/", "\0")));
}
