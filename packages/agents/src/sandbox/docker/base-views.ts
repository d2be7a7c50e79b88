import type Docker from "dockerode";
import { BaseView } from "./base-view.ts";
import { callEngine } from "./engine.ts";
import { removeContainer } from "./janitor.ts";

/** Views that are kept for later sandboxes of the same image. */
const mostIdle = 8;

interface Entry {
  view: BaseView;
  users: number;
  /** One; more when the first was removed by somebody. */
  containers: string[];
}

/** Views of images, each shared by the sandboxes that are made of it. */
export class BaseViews {
  readonly #docker: Docker;
  readonly #labels: Readonly<Record<string, string>>;
  /** By image, the one that was used longest ago first. */
  readonly #entries = new Map<string, Entry>();

  constructor(docker: Docker, labels: Readonly<Record<string, string>>) {
    this.#docker = docker;
    this.#labels = labels;
  }

  /** The view of an image; to be released by who took it. */
  take(image: string): { view: BaseView; release(): Promise<void> } {
    const entry = this.#entries.get(image) ?? this.#newEntry(image);
    this.#entries.delete(image);
    this.#entries.set(image, entry);
    entry.users += 1;
    return {
      view: entry.view,
      release: async () => {
        entry.users -= 1;
        await this.#removeIdle(mostIdle);
      },
    };
  }

  /** Removes those that no sandbox uses. */
  async close(): Promise<void> {
    await this.#removeIdle(0);
  }

  #newEntry(image: string): Entry {
    const entry: Entry = {
      users: 0,
      containers: [],
      view: new BaseView(async () => {
        const container = await callEngine("creating a container", (abortSignal) =>
          this.#docker.createContainer({
            Image: image,
            Entrypoint: ["/none"],
            Cmd: [],
            Labels: { ...this.#labels },
            HostConfig: { NetworkMode: "none" },
            abortSignal,
          }),
        );
        entry.containers.push(container.id);
        return container;
      }),
    };
    return entry;
  }

  async #removeIdle(kept: number): Promise<void> {
    const idle = [...this.#entries].filter(([, { users }]) => users === 0);
    for (const [image, { containers }] of idle.slice(0, Math.max(0, idle.length - kept))) {
      this.#entries.delete(image);
      for (const container of containers) await removeContainer(this.#docker, container);
    }
  }
}
