import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import { isWithin, type LaidIn } from "../layers.ts";

/**
 * Where every box has the task's volume of layers, read-only. The worker has it elsewhere, and writes to it. Nothing
 * there is ever part of a workspace.
 */
export const layersAt = "/opt/tracemill";

export const layersPlace: LaidIn = { path: layersAt };

/** Layers of a task's boxes: each is copied into their common volume once, for all that are to come. */
export class BoxLayers {
  readonly #dir: string | undefined;
  readonly #laid = new Map<string, { id: string; copying: Promise<void> }>();

  /** @param dir where the worker has the volume. */
  constructor(dir: string | undefined) {
    this.#dir = dir;
  }

  /**
   * Sees to it that layers are in the volume.
   * @throws TracemillError `invalid-input` for a place outside the volume, `unsupported` (a task without one, another layer at that place),
   * `sandbox-failed` when copying fails.
   */
  async lay(layers: readonly SandboxLayer[]): Promise<void> {
    await Promise.all(layers.map((layer) => this.#layOne(layer)));
  }

  async #layOne({ id, dir, path }: SandboxLayer): Promise<void> {
    if (this.#dir === undefined || !existsSync(this.#dir))
      throw refused(path, "this job's definition has no volume for layers; deploy the stage again");
    if (!path.startsWith(`${layersAt}/`))
      throw new TracemillError(
        "invalid-input",
        `a layer at ${path}: a box has layers below ${layersAt} only`,
      );
    const other = this.#laid.get(path);
    const meets = [...this.#laid.keys()].find((at) => isWithin(at, path) || isWithin(path, at));
    if (meets !== undefined && other?.id !== id)
      throw refused(path, `this job has another one at ${meets}; put the version into the path of each`);
    const copying = other?.copying ?? copyInto(dir, join(this.#dir, path.slice(layersAt.length)));
    this.#laid.set(path, { id, copying });
    try {
      await copying;
    } catch (error) {
      this.#laid.delete(path);
      throw new TracemillError("sandbox-failed", `a layer at ${path}: ${messageOf(error)}`, {
        retryable: true,
        cause: error,
      });
    }
  }
}

/** It appears whole or not at all. */
async function copyInto(from: string, target: string): Promise<void> {
  const copy = join(dirname(target), `.${randomBytes(4).toString("hex")}`);
  await mkdir(dirname(target), { recursive: true });
  try {
    await cp(from, copy, { recursive: true, verbatimSymlinks: true });
    await rm(target, { recursive: true, force: true });
    await rename(copy, target);
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  }
}

function refused(path: string, why: string): TracemillError {
  return new TracemillError("unsupported", `a layer at ${path}: ${why}`);
}
