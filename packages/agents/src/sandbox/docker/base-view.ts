import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { type PathStat, statPath } from "./archive.ts";

/** Answers that are kept; a task asks for the same few over and over. */
const mostKept = 20_000;

/** An environment as it was before anything ran in it: looked up in a container of it that is never started. */
export class BaseView {
  readonly #open: () => Promise<Docker.Container>;
  #container: Promise<Docker.Container> | undefined;
  readonly #known = new Map<string, Promise<PathStat | undefined>>();

  /** @param open creates the container; called when it is first needed. */
  constructor(open: () => Promise<Docker.Container>) {
    this.#open = open;
  }

  /** What is at an absolute path; links are followed but for one at its end. */
  async stat(path: string): Promise<PathStat | undefined> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const asked = this.#ask(path);
    if (this.#known.size < mostKept) this.#known.set(path, asked);
    try {
      return await asked;
    } catch (error) {
      this.#known.delete(path);
      throw error;
    }
  }

  /** Whether something is at an absolute path. */
  async has(path: string): Promise<boolean> {
    try {
      return (await this.stat(path)) !== undefined;
    } catch (error) {
      if (error instanceof TracemillError && error.code === "invalid-input") return false;
      throw error;
    }
  }

  async #ask(path: string): Promise<PathStat | undefined> {
    this.#container ??= this.#open();
    try {
      return await statPath(await this.#container, path);
    } catch (error) {
      // Somebody else may have removed it: the next question makes another. Links in circles are an answer.
      if (!isTracemillError(error) || error.code !== "invalid-input") this.#container = undefined;
      throw error;
    }
  }
}

/** What an environment has at a path without the slash at its start, as those that lay layers in ask. */
export async function placeIn(
  base: BaseView,
  path: string,
): Promise<{ mode: number; isDirectory(): boolean } | undefined> {
  const found = await base.stat(`/${path}`);
  return found && { mode: found.mode, isDirectory: () => found.kind === "directory" };
}
