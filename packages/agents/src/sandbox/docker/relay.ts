import { once } from "node:events";
import { constants, performServerHandshake, type ServerHttp2Session } from "node:http2";
import { Duplex, PassThrough } from "node:stream";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxListener } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { mostConnections, type OnConnection } from "../doors.ts";
import { containerSettings } from "./container.ts";
import { demultiplex } from "./demux.ts";
import { callEngine } from "./engine.ts";
import { removeContainer } from "./janitor.ts";
import { relayProgram } from "./relay-program.ts";

/** What one connection may have on its way unread, each way. */
const windowBytes = 256 * 1024;

const limits = { fileBytes: 1024 ** 2, memoryBytes: 256 * 1024 ** 2, pids: 32 };

export interface RelayOptions {
  docker: Docker;
  /** Has Node at `/node`. */
  image: string;
  /** The container whose network it listens in. */
  containerId: string;
  labels: Readonly<Record<string, string>>;
}

/**
 * A door for this process where it cannot enter the sandbox's network itself: a container beside the sandbox's own, in
 * the same network, through which connections come by the engine's interface.
 * @throws TracemillError `sandbox-failed`.
 */
export async function openRelay(options: RelayOptions, onConnection: OnConnection): Promise<SandboxListener> {
  const { docker } = options;
  await using undo = new AsyncDisposableStack();
  const container = await callEngine("creating a container for a door", (abortSignal) =>
    docker.createContainer({ ...relaySettings(options), abortSignal }),
  );
  undo.defer(() => removeContainer(docker, container.id));
  const how = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
  const stream = (await callEngine("attaching to a door", () => container.attach(how))) as Duplex;
  undo.defer(() => void stream.destroy());
  const { session, said } = sessionOver(stream);
  undo.defer(() => session.destroy());
  const listening = portOf(session, said, onConnection);
  listening.catch(() => undefined);
  await callEngine("starting a door", (abortSignal) => container.start({ abortSignal }));
  const port = await callEngine("waiting for a door", () => listening);
  const owned = undo.move();
  return { port, close: () => owned.disposeAsync() };
}

function relaySettings({ image, containerId, labels }: RelayOptions): Docker.ContainerCreateOptions {
  const { HostConfig, ...settings } = containerSettings({
    image: { id: image },
    limits,
    network: { of: containerId },
    labels,
    hasQuota: false,
  });
  return {
    ...settings,
    ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
    Entrypoint: ["/node", "-e", relayProgram, String(windowBytes), String(mostConnections)],
    User: "65534:65534",
    // When this process is killed its input ends, and so it does.
    HostConfig: { ...HostConfig, AutoRemove: true, CapDrop: ["ALL"], ReadonlyRootfs: true },
  };
}

/** What the relay says on its errors, the last of it. */
type Said = () => string;

function sessionOver(stream: Duplex): { session: ServerHttp2Session; said: Said } {
  const output = new PassThrough();
  const errors = new PassThrough();
  let text = "";
  errors.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-500);
  });
  stream.on("error", () => undefined);
  demultiplex(stream, { stdout: output, stderr: errors })
    .catch(() => undefined)
    .finally(() => output.end());
  const transport = Duplex.from({ readable: output, writable: stream });
  transport.on("error", () => undefined);
  const session = performServerHandshake(transport, {
    settings: { initialWindowSize: windowBytes, maxConcurrentStreams: mostConnections + 1 },
  });
  session.on("error", () => undefined);
  return { session, said: () => text.trim() };
}

async function portOf(session: ServerHttp2Session, said: Said, onConnection: OnConnection): Promise<number> {
  const port = Promise.withResolvers<number>();
  session.on("stream", (stream, headers) => {
    // Who breaks off is nobody's failure: the other side sees the end of it.
    stream.on("error", () => undefined);
    stream.respond({ [constants.HTTP2_HEADER_STATUS]: 200 });
    const path = headers[constants.HTTP2_HEADER_PATH];
    if (path === "/") return onConnection(stream);
    stream.end();
    port.resolve(Number(path?.slice(1)));
  });
  const closed = once(session, "close").then(() => {
    throw new TracemillError("sandbox-failed", `nothing can listen in the sandbox: ${said() || "it ended"}`, {
      retryable: true,
    });
  });
  closed.catch(() => undefined);
  return Promise.race([port.promise, closed]);
}
