import { answers, localEngine } from "@tracemill/agents/sandbox/docker/connect.ts";
import { findCgroups, removeAbandonedGroups } from "@tracemill/agents/sandbox/namespace/cgroup.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import type { CliContext } from "./context.ts";
import {
  abandonedFiles,
  abandonedInDocker,
  type Engine,
  oldImages,
  oldLayers,
  oldLayerVolumes,
  oldPrograms,
  type Removable,
} from "./leftovers.ts";
import { sizeWords } from "./size-words.ts";

export interface CleanOptions {
  images?: true;
  layers?: true;
  /** Milliseconds. */
  olderThan: number;
  dryRun?: true;
}

export interface CleanDeps {
  /** The engine to clean; `undefined` when none answers. */
  engine(): Promise<Engine | undefined>;
}

async function engineHere(): Promise<Engine | undefined> {
  const docker = localEngine();
  return (await answers(docker)) ? docker : undefined;
}

/** Removes what nobody uses, and says so line by line. */
export async function clean(
  options: CleanOptions,
  context: CliContext,
  deps: CleanDeps = { engine: engineHere },
): Promise<void> {
  const before = context.clock.now() - options.olderThan;
  const found = [
    ...(await abandonedFiles(context.home)),
    ...(options.layers === true ? await oldLayers(context.home, before) : []),
    ...(options.layers === true ? await oldPrograms(context.home, before) : []),
    ...(await foundInDocker(await deps.engine(), options, before, context)),
  ];
  const gone = options.dryRun === true ? found : await removeAll(found, context);
  if (options.dryRun === true) for (const removable of found) say(removable, false, context);
  else await removeGroups();
  const bytes = gone.reduce((sum, removable) => sum + (removable.bytes ?? 0), 0);
  const things = `${gone.length} ${gone.length === 1 ? "thing" : "things"}, ${sizeWords(bytes)}`;
  const verb = options.dryRun === true ? "would remove" : "removed";
  context.out.text(gone.length === 0 ? "nothing to remove" : `${verb} ${things}`);
}

/** What cannot be removed is named, and the rest goes on; the exit code is 1 then. @returns what is gone. */
export async function removeAll(
  found: readonly Removable[],
  context: Pick<CliContext, "out" | "exitCode">,
): Promise<Removable[]> {
  const gone: Removable[] = [];
  for (const removable of found) {
    try {
      const removed = await removable.remove();
      if (removed) gone.push(removable);
      say(removable, removed, context, removed ? "" : ": in use, kept");
    } catch (error) {
      context.exitCode = 1;
      say(removable, false, context, `: cannot be removed: ${messageOf(error)}`);
    }
  }
  return gone;
}

function say(
  { kind, name, bytes }: Removable,
  removed: boolean,
  { out }: Pick<CliContext, "out">,
  remark = "",
): void {
  out.event({ kind, name, ...(bytes === undefined ? {} : { bytes }), removed });
  out.text(
    `${kind.padEnd(9)}  ${(bytes === undefined ? "" : sizeWords(bytes)).padStart(9)}  ${name}${remark}`,
  );
}

/** Control groups take no space, and are nobody's to read about. */
async function removeGroups(): Promise<void> {
  const cgroups = process.platform === "linux" ? findCgroups() : undefined;
  if (cgroups !== undefined) await removeAbandonedGroups(cgroups);
}

async function foundInDocker(
  docker: Engine | undefined,
  { images, layers }: CleanOptions,
  before: number,
  { clock, home, out }: CliContext,
): Promise<Removable[]> {
  if (docker === undefined) {
    if (images === true) out.note("no Docker engine answers: its images are left as they are");
    return [];
  }
  return [
    ...(await abandonedInDocker(docker, processOwner(clock.now()).isGone)),
    ...(images === true ? await oldImages(docker, home, before) : []),
    ...(layers === true ? await oldLayerVolumes(docker, before) : []),
  ];
}
