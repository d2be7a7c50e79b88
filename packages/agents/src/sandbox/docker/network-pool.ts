import { messageOf } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { callEngine, hasStatus } from "./engine.ts";
import { NetworkHolder } from "./network-holder.ts";

/** A network that one sandbox has for itself, until it is released. */
export interface LentNetwork {
  /** Id of the container whose network it is. */
  container: string;
  /**
   * Returns at once; `close` waits for it.
   * @param options.reuse whether every process of the sandbox has ended for certain. If not, nobody gets it again.
   */
  release(options: { reuse: boolean }): void;
}

export interface NetworkPoolOptions {
  docker: Docker;
  labels: Readonly<Record<string, string>>;
  /** What networks for everybody are held by, where the engine has it: no task's own programs run in it. */
  baseImage: string;
  log: (message: string) => void;
}

interface Held {
  holder: NetworkHolder;
  /** The image whose sandboxes alone may have it, since that image's own programs run in it. */
  onlyFor: string | undefined;
}

/** Networks that wait for a next sandbox. */
const mostIdle = 16;

/**
 * Networks of the engine's bridge for sandboxes to join. Making one takes the engine 0.4 s of processor time, four times
 * as long as all the rest of a container, so they are kept by containers that do nothing, and used again. Nothing in a
 * sandbox may change a network; the three files that come with it are put back as they were before the next one
 * gets it.
 */
export class NetworkPool {
  readonly #options: NetworkPoolOptions;
  /** The one that was used longest ago first. */
  readonly #idle: Held[] = [];
  readonly #releasing = new Set<Promise<void>>();
  #closed = false;

  constructor(options: NetworkPoolOptions) {
    this.#options = options;
  }

  /** @param image that of the sandbox: it has to have `/bin/sh`. @throws TracemillError `sandbox-failed`. */
  async take(image: string, signal: AbortSignal | undefined): Promise<LentNetwork> {
    const held = (await this.#takeIdle(image)) ?? (await this.#hold(image, signal));
    return {
      container: held.holder.id,
      release: ({ reuse }) => {
        const ending = reuse && !this.#closed ? this.#reuse(held) : this.#giveUp(held);
        const releasing = ending.finally(() => this.#releasing.delete(releasing));
        this.#releasing.add(releasing);
      },
    };
  }

  /** Removes the networks that no sandbox has; the others go when they are released. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#releasing);
    await Promise.all(this.#idle.splice(0).map(({ holder }) => holder.remove()));
  }

  async #takeIdle(image: string): Promise<Held | undefined> {
    for (;;) {
      const at = this.#idle.findLastIndex(({ onlyFor = image }) => onlyFor === image);
      const [held] = at < 0 ? [] : this.#idle.splice(at, 1);
      if (held === undefined || (await held.holder.isThere())) return held;
      await this.#giveUp(held);
    }
  }

  async #hold(image: string, signal: AbortSignal | undefined): Promise<Held> {
    const { docker, labels, baseImage } = this.#options;
    const base = await idOf(docker, baseImage);
    const holder = await NetworkHolder.start({ docker, image: base ?? image, labels, signal });
    return { holder, onlyFor: base === undefined ? image : undefined };
  }

  async #reuse(held: Held): Promise<void> {
    try {
      await held.holder.restore();
    } catch (error) {
      this.#options.log(`a network is given up: ${messageOf(error)}`);
      return this.#giveUp(held);
    }
    if (this.#closed) return this.#giveUp(held);
    this.#idle.push(held);
    const oldest = this.#idle.length > mostIdle ? this.#idle.shift() : undefined;
    if (oldest !== undefined) await this.#giveUp(oldest);
  }

  /** What cannot be removed now is removed when this process is gone. */
  async #giveUp({ holder }: Held): Promise<void> {
    await holder.remove().catch((error: unknown) => this.#options.log(messageOf(error)));
  }
}

async function idOf(docker: Docker, image: string): Promise<string | undefined> {
  try {
    return (await callEngine(`looking for ${image}`, () => docker.getImage(image).inspect())).Id;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
