import { messageOf } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { NetworkHolder } from "./network-holder.ts";

/** A network that one sandbox has for itself, until it is released. */
export interface LentNetwork {
  /** Id of the container whose network it is. */
  container: string;
  /** Call it when every process of the sandbox has ended. Returns at once; `close` waits for it. */
  release(): void;
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
  readonly #docker: Docker;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #log: (message: string) => void;
  readonly #idle: NetworkHolder[] = [];
  readonly #releasing = new Set<Promise<void>>();
  #closed = false;

  constructor(docker: Docker, labels: Readonly<Record<string, string>>, log: (message: string) => void) {
    this.#docker = docker;
    this.#labels = labels;
    this.#log = log;
  }

  /** @param image what a new holder is made of: it has to have `/bin/sh`. @throws TracemillError `sandbox-failed`. */
  async take(image: string, signal: AbortSignal | undefined): Promise<LentNetwork> {
    const holder = this.#idle.pop() ?? (await this.#start(image, signal));
    return {
      container: holder.id,
      release: () => {
        const releasing = this.#release(holder).finally(() => this.#releasing.delete(releasing));
        this.#releasing.add(releasing);
      },
    };
  }

  /** Removes the networks that no sandbox has; the others go when they are released. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#releasing);
    await Promise.all(this.#idle.splice(0).map((holder) => holder.remove()));
  }

  #start(image: string, signal: AbortSignal | undefined): Promise<NetworkHolder> {
    return NetworkHolder.start({ docker: this.#docker, image, labels: this.#labels, signal });
  }

  async #release(holder: NetworkHolder): Promise<void> {
    try {
      if (this.#closed || this.#idle.length >= mostIdle) return await holder.remove();
      await holder.restore();
      if (this.#closed) return await holder.remove();
      this.#idle.push(holder);
    } catch (error) {
      this.#log(`a network is given up: ${messageOf(error)}`);
      await holder.remove().catch(() => undefined);
    }
  }
}
