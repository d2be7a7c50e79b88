import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { arch } from "node:os";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { TracemillError } from "@tracemill/core/errors.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import * as z from "zod";
import { callEngine, engineWords, hasImage } from "./engine.ts";
import { environmentLabel } from "./labels.ts";

const run = promisify(execFile);

/** Sending some 120 MB to an engine, or pulling as much. */
const makeMs = 600_000;

/** Where this machine's Node is of no use to an engine: one of the same major version. */
const publicImage = "node:24-bookworm-slim";

/**
 * An image that has Node at `/node`, whatever the images of tasks have. Its Node is this process's own where that runs
 * on the engine's machine too, with the libraries that it loads; else that of an official image.
 * @param architecture of the engine, as it names it: `x86_64`.
 * @throws TracemillError `unsupported` where neither can be had, `sandbox-failed`.
 */
export async function relayImage(
  docker: Docker,
  architecture: string,
  log: (message: string) => void,
): Promise<string> {
  const isOurs = process.platform === "linux" && architecture === archNames[arch()];
  const { size, mtimeMs } = await stat(process.execPath);
  const key = isOurs ? [process.version, process.arch, size, mtimeMs] : [publicImage];
  const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 24);
  const tag = `tracemill/relay:${hash}`;
  if (await hasImage(docker, tag)) return tag;
  log("making an image for doors into sandboxes");
  if (isOurs) await importOwn(docker, tag, hash);
  else await buildPublic(docker, tag, hash);
  return tag;
}

/** Node's names of architectures, as engines have them. */
const archNames: Partial<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

async function importOwn(docker: Docker, tag: string, hash: string): Promise<void> {
  const tar = Readable.from(writeLayer(await ownNode()), { objectMode: false });
  const [repo, name] = tag.split(":");
  const changes = [`LABEL ${environmentLabel}=relay-${hash}`];
  await finished(docker, "making an image for doors", () =>
    docker.importImage(tar, { repo, tag: name, changes }),
  );
}

async function buildPublic(docker: Docker, tag: string, hash: string): Promise<void> {
  const text = `FROM ${publicImage}\nRUN ln -s "$(command -v node)" /node\n`;
  const tar = Readable.from(writeLayer([fileOf("Dockerfile", Buffer.from(text))]), { objectMode: false });
  try {
    await finished(docker, `building on ${publicImage}`, () =>
      docker.buildImage(tar, { t: tag, labels: { [environmentLabel]: `relay-${hash}` } }),
    );
  } catch (error) {
    throw new TracemillError(
      "unsupported",
      `this process has no way into the sandbox's network: ${engineWords(error)}; let the engine pull ${publicImage}, or run Tracemill as root beside the engine`,
      { cause: error },
    );
  }
}

/** Waits for the end of what the engine reports on. */
async function finished(
  docker: Docker,
  doing: string,
  request: () => Promise<NodeJS.ReadableStream>,
): Promise<void> {
  await callEngine(
    doing,
    async () => {
      const output = await request();
      await new Promise<void>((resolve, reject) => {
        docker.modem.followProgress(output, (error) => (error ? reject(error) : resolve()));
      });
    },
    { ms: makeMs },
  );
}

const Paths = z.array(z.string());

/** What the report of a fresh process of this Node says that it has loaded. */
const listLoaded =
  "process.report.excludeNetwork = true; console.log(JSON.stringify(process.report.getReport().sharedObjects))";

/** This Node and its libraries, each where it looks for them. */
async function ownNode(): Promise<LayerEntry[]> {
  const { stdout } = await run(process.execPath, ["-e", listLoaded], { env: {} });
  const loaded = Paths.parse(JSON.parse(stdout)).filter((path) => /^\/.*\.so(\.|$)/.test(path));
  const files = [
    ["node", process.execPath] as const,
    ...loaded.map((path) => [path.slice(1), path] as const),
  ];
  const sorted = files.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all(
    sorted.map(async ([path, file]): Promise<LayerEntry> => {
      const { size } = await stat(file);
      const body = Readable.from(createReadStream(file, { highWaterMark: 2 ** 20 }));
      return { type: "file", path, mode: 0o755, size, body };
    }),
  );
}

function fileOf(path: string, content: Buffer): LayerEntry {
  return { type: "file", path, mode: 0o644, size: content.length, body: Readable.from([content]) };
}
