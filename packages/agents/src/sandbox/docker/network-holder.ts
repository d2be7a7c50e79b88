import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { type Duplex, PassThrough } from "node:stream";
import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { containerSettings, endOfContainer } from "./container.ts";
import { demultiplex } from "./demux.ts";
import { callEngine } from "./engine.ts";
import { removeContainer } from "./janitor.ts";

/**
 * What a container shares with those that join its network are these files, beside the network. They are kept as they
 * were, and put back for each line that is read; without a reader of ours the holder ends.
 */
const script = `
copy() { while IFS= read -r line || [ -n "$line" ]; do printf '%s\\n' "$line"; done < "$1" > "$2"; }
for file in hosts hostname resolv.conf; do copy /etc/$file /.saved-$file || exit 1; done
echo ready
while read -r _; do
  for file in hosts hostname resolv.conf; do
    chown 0:0 /etc/$file && chmod 644 /etc/$file && copy /.saved-$file /etc/$file || exit 1
  done
  echo done
done`;

const limits = { fileBytes: 1024 ** 2, memoryBytes: 64 * 1024 ** 2, pids: 16 };

export interface HolderOptions {
  docker: Docker;
  /** It has to have `/bin/sh`, and `chown` and `chmod` for its network to be used again. */
  image: string;
  labels: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

/** A container that does nothing but have a network of the engine's bridge. */
export class NetworkHolder {
  readonly id: string;
  readonly #docker: Docker;
  readonly #stream: Duplex;
  readonly #answers: Interface;
  /** Fulfilled when nothing more will be answered. */
  readonly #gone: Promise<unknown>;

  private constructor(docker: Docker, id: string, stream: Duplex, answers: Interface) {
    this.id = id;
    this.#docker = docker;
    this.#stream = stream;
    this.#answers = answers;
    this.#gone = once(answers, "close");
  }

  /** @throws TracemillError `sandbox-failed`. */
  static async start({ docker, image, labels, signal }: HolderOptions): Promise<NetworkHolder> {
    const settings = containerSettings({
      image: { id: image },
      limits,
      network: "host",
      labels,
      hasQuota: false,
    });
    const streams = { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true };
    const container = await callEngine(
      "creating a container for a network",
      (abortSignal) =>
        docker.createContainer({
          ...settings,
          ...streams,
          Entrypoint: ["/bin/sh", "-c", script],
          abortSignal,
        }),
      { signal },
    );
    try {
      const how = { stream: true, stdin: true, stdout: true, hijack: true };
      const stream = (await callEngine("attaching to a network", () => container.attach(how), {
        signal,
      })) as Duplex;
      const output = new PassThrough();
      stream.on("error", () => undefined);
      demultiplex(stream, { stdout: output, stderr: new PassThrough().resume() })
        .catch(() => undefined)
        .finally(() => output.end());
      const answers = createInterface({ input: output });
      const holder = new NetworkHolder(docker, container.id, stream, answers);
      const ready = holder.#answer();
      ready.catch(() => undefined);
      await callEngine("starting a network", (abortSignal) => container.start({ abortSignal }), { signal });
      await ready;
      return holder;
    } catch (error) {
      await removeContainer(docker, container.id).catch(() => undefined);
      throw error;
    }
  }

  /** Whether it still has its network: an engine that was started anew, or somebody, may have ended it. */
  async isThere(): Promise<boolean> {
    return (await endOfContainer(this.#docker.getContainer(this.id))) === undefined;
  }

  /** Puts its files back as they were. @throws TracemillError `sandbox-failed` when it is no more. */
  async restore(): Promise<void> {
    const answer = this.#answer();
    this.#stream.write("\n");
    await answer;
  }

  async remove(): Promise<void> {
    this.#stream.destroy();
    await removeContainer(this.#docker, this.id);
  }

  async #answer(): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const gone = this.#gone.then(() => {
      throw new TracemillError("sandbox-failed", "a network's container has ended", { retryable: true });
    });
    try {
      const answered = Promise.race([once(this.#answers, "line", { signal }), gone]);
      await callEngine("waiting for a network", () => answered);
    } finally {
      stop.abort();
      gone.catch(() => undefined);
    }
  }
}
