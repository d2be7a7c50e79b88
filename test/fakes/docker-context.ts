import { readdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { type ContextFile, contextFiles, matchSource } from "@tracemill/agents/sandbox/dockerfile/context.ts";
import { type Instruction, parseDockerfile } from "@tracemill/agents/sandbox/dockerfile/parse.ts";

export const repository = resolve(import.meta.dirname, "../..");

/** The repository as Docker is sent it: what `.dockerignore` leaves of it. */
async function buildContext(): Promise<ContextFile[]> {
  const paths = [".dockerignore", "package.json", "package-lock.json"];
  for (const entry of await readdir(join(repository, "packages"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.includes("node_modules")) continue;
    paths.push(relative(repository, join(entry.parentPath, entry.name)));
  }
  const rules = await readFile(join(repository, ".dockerignore"));
  const none = new Uint8Array();
  return contextFiles(
    paths.map((path) => ({ path, mode: 0o644, content: path === ".dockerignore" ? rules : none })),
  );
}

export interface ImageFile {
  /** Relative to the repository. */
  source: string;
  /** Relative to the image's working directory. */
  target: string;
}

export interface Dockerfile {
  instructions: Instruction[];
  /** What it copies out of the repository. */
  files: ImageFile[];
}

/** Reads a Dockerfile of the repository. @throws when it copies what is not there, or what `.dockerignore` leaves out. */
export async function readDockerfile(path: string): Promise<Dockerfile> {
  const { instructions } = parseDockerfile(await readFile(join(repository, path), "utf8"));
  const context = await buildContext();
  const files = instructions
    .filter(({ keyword, flags }) => keyword === "COPY" && !flags.some(({ name }) => name === "from"))
    .flatMap(({ text, line }) => {
      const words = text.split(/\s+/);
      const folder = words.pop() ?? "";
      return words.flatMap((source) =>
        matchSource(source, context, `${path}:${line}`).files.map(({ below, file }) => ({
          source: file.path,
          target: join(folder, below),
        })),
      );
    });
  return { instructions, files };
}
