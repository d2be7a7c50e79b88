import type { SandboxEnvironment } from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import { type ContextFile, contextFiles } from "../dockerfile/context.ts";

export const dockerfileName = "Dockerfile";

/**
 * What the engine gets to build from: the context without what `.dockerignore` leaves out, the Dockerfile, and
 * `.dockerignore` itself, by which the engine keeps the Dockerfile from COPY where it is listed.
 */
export function buildFiles({ files }: Pick<SandboxEnvironment, "files">, dockerfile: string): ContextFile[] {
  const rules = files.filter(({ path }) => path === ".dockerignore");
  const kept = contextFiles(files).filter(({ path }) => path !== dockerfileName && path !== ".dockerignore");
  return [{ path: dockerfileName, content: Buffer.from(dockerfile), mode: 0o644 }, ...rules, ...kept];
}

/** The tar that `POST /build` takes. Its times are all 0, or the engine's build cache would find every file changed. */
export function buildContext(files: readonly ContextFile[]): AsyncGenerator<Uint8Array> {
  return writeLayer(files.map(fileEntry));
}

/** A file in memory as an entry of a tar. */
export function fileEntry({ path, content, mode }: ContextFile): LayerEntry {
  return { type: "file", path, mode: mode & 0o7777, size: content.byteLength, body: chunksOf(content) };
}

async function* chunksOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  if (content.byteLength > 0) yield content;
}
