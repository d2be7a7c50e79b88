import { posix } from "node:path";
import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { type Instruction, type ParsedDockerfile, parseDockerfile } from "./parse.ts";
import { expand, type Variables, words } from "./words.ts";

/** Something to do in the file system, in order. */
export type BuildStep = { line: number } & (
  | {
      kind: "run";
      /** As the file says it, for messages. */
      text: string;
      command: string[];
      cwd: string;
      env: Record<string, string>;
    }
  | { kind: "copy"; sources: string[]; target: string; mode?: number }
  | { kind: "folder"; path: string }
);

export interface BuildPlan {
  /** The image that the file starts from. */
  from: string;
  steps: BuildStep[];
  workdir: string;
  env: Record<string, string>;
}

/** What commands find in their environment when nobody says otherwise, as in Docker. */
export const defaultEnv: Variables = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
};

/** They say how a container starts or what it offers; here commands are started one by one. */
const withoutEffect = new Set([
  "CMD",
  "ENTRYPOINT",
  "EXPOSE",
  "HEALTHCHECK",
  "LABEL",
  "MAINTAINER",
  "STOPSIGNAL",
  "VOLUME",
]);

/**
 * What a Dockerfile wants done, over a base that stands in for its image.
 * @throws TracemillError `unsupported`, with line and instruction, for what cannot be honoured.
 */
export function planBuild(dockerfile: string): BuildPlan {
  const parsed = parseDockerfile(dockerfile);
  const builder = new PlanBuilder(parsed);
  for (const instruction of parsed.instructions) builder.add(instruction);
  return builder.plan();
}

class PlanBuilder {
  readonly #escaping: string;
  readonly #steps: BuildStep[] = [];
  readonly #env: Record<string, string> = { ...defaultEnv };
  #args: Record<string, string> = {};
  #globalArgs: Record<string, string> = {};
  #from: string | undefined;
  #shell: readonly string[] = ["/bin/sh", "-c"];
  #workdir = "/";

  constructor({ escaping }: ParsedDockerfile) {
    this.#escaping = escaping;
  }

  add(instruction: Instruction): void {
    try {
      this.#add(instruction);
    } catch (error) {
      if (!isTracemillError(error, "unsupported")) throw error;
      throw new TracemillError(
        "unsupported",
        `Dockerfile, line ${instruction.line}: ${error.message} cannot be honoured by a sandbox of namespaces; change the line`,
        { cause: error },
      );
    }
  }

  plan(): BuildPlan {
    if (this.#from === undefined) throw new TracemillError("invalid-task", "Dockerfile: FROM is missing");
    return { from: this.#from, steps: this.#steps, workdir: this.#workdir, env: this.#env };
  }

  #add(instruction: Instruction): void {
    const { keyword, line, text } = instruction;
    if (withoutEffect.has(keyword)) return;
    if (this.#from === undefined && keyword !== "FROM" && keyword !== "ARG") {
      throw new TracemillError("invalid-task", `Dockerfile, line ${line}: ${keyword} before FROM`);
    }
    switch (keyword) {
      case "FROM":
        this.#addFrom(instruction);
        return;
      case "ARG":
        this.#addArg(text);
        return;
      case "ENV":
        this.#addEnv(text, line);
        return;
      case "WORKDIR":
        this.#workdir = posix.resolve(this.#workdir, expand(text.trim(), this.#variables(), this.#escaping));
        this.#steps.push({ line, kind: "folder", path: this.#workdir });
        return;
      case "RUN":
        this.#addRun(instruction);
        return;
      case "COPY":
      case "ADD":
        this.#addCopy(instruction);
        return;
      case "SHELL":
        if (instruction.json === undefined)
          throw new TracemillError("unsupported", "SHELL without a JSON array");
        this.#shell = instruction.json;
        return;
      case "USER":
        if (/^(root|0)(:(root|0))?$/.test(expand(text.trim(), this.#variables(), this.#escaping))) return;
        throw new TracemillError("unsupported", `USER ${text}: everything runs as the sandbox's root; this`);
      default:
        throw new TracemillError("unsupported", keyword);
    }
  }

  #variables(): Variables {
    return { ...this.#args, ...this.#env };
  }

  #addFrom({ text }: Instruction): void {
    if (this.#from !== undefined)
      throw new TracemillError("unsupported", "a second FROM (a multi-stage build)");
    const [image = ""] = words(text, this.#args, this.#escaping);
    if (image === "scratch") throw new TracemillError("unsupported", "FROM scratch");
    this.#from = image;
    this.#globalArgs = this.#args;
    this.#args = {};
  }

  #addArg(text: string): void {
    for (const word of words(text, this.#variables(), this.#escaping)) {
      const cut = word.indexOf("=");
      const name = cut === -1 ? word : word.slice(0, cut);
      const value = cut === -1 ? this.#globalArgs[name] : word.slice(cut + 1);
      if (value !== undefined) this.#args[name] = value;
    }
  }

  #addEnv(text: string, line: number): void {
    const variables = this.#variables();
    const legacy = /^([^\s=]+)\s+(\S.*)$/s.exec(text);
    if (legacy !== null) {
      this.#env[legacy[1] ?? ""] = expand(legacy[2] ?? "", variables, this.#escaping);
      return;
    }
    for (const word of words(text, variables, this.#escaping)) {
      const cut = word.indexOf("=");
      if (cut < 1) throw new TracemillError("invalid-task", `Dockerfile, line ${line}: ENV wants NAME=value`);
      this.#env[word.slice(0, cut)] = word.slice(cut + 1);
    }
  }

  #addRun({ line, text, json, flags, hasHeredoc }: Instruction): void {
    const flag = flags.find(({ name, value }) => name !== "network" || value !== "default");
    if (flag !== undefined) throw new TracemillError("unsupported", `RUN --${flag.name}`);
    const script = hasHeredoc ? heredocScript(text) : text;
    this.#steps.push({
      line,
      kind: "run",
      text: text.split("\n")[0] ?? "",
      command: json === undefined ? [...this.#shell, script] : [...json],
      cwd: this.#workdir,
      env: { ...this.#args, ...this.#env },
    });
  }

  #addCopy({ keyword, line, text, json, flags, hasHeredoc }: Instruction): void {
    if (hasHeredoc) throw new TracemillError("unsupported", `${keyword} of a here-document`);
    const mode = copyMode(keyword, flags);
    const variables = this.#variables();
    const given =
      json === undefined
        ? words(text, variables, this.#escaping)
        : json.map((item) => expand(item, variables, this.#escaping));
    const target = given.at(-1);
    const sources = given.slice(0, -1);
    if (target === undefined || sources.length === 0) {
      throw new TracemillError(
        "invalid-task",
        `Dockerfile, line ${line}: ${keyword} wants a source and a target`,
      );
    }
    if (keyword === "ADD") for (const source of sources) assertPlainSource(source);
    const resolved = posix.resolve(this.#workdir, target);
    const isFolder = target.endsWith("/") || target === "." || sources.length > 1;
    this.#steps.push({
      line,
      kind: "copy",
      sources,
      target: isFolder && resolved !== "/" ? `${resolved}/` : resolved,
      ...(mode === undefined ? {} : { mode }),
    });
  }
}

function copyMode(keyword: string, flags: Instruction["flags"]): number | undefined {
  let mode: number | undefined;
  for (const { name, value } of flags) {
    const isRoot = name === "chown" && /^(root|0)(:(root|0))?$/.test(value);
    if (name === "chmod" && /^0?[0-7]{3,4}$/.test(value)) mode = Number.parseInt(value, 8);
    else if (name !== "link" && !isRoot) {
      throw new TracemillError("unsupported", `${keyword} --${name}${name === "from" ? "" : `=${value}`}`);
    }
  }
  return mode;
}

function assertPlainSource(source: string): void {
  if (/^(https?|ftp|git|ssh):\/\/|^git@|\.git(#|$)/.test(source)) {
    throw new TracemillError("unsupported", `ADD of a URL (${source})`);
  }
  if (/\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst))$/.test(source)) {
    throw new TracemillError("unsupported", `ADD of an archive (${source}), which would be unpacked,`);
  }
}

/** `RUN <<EOF` alone: the document is the script. Otherwise the shell reads the document itself. */
function heredocScript(text: string): string {
  const alone = /^<<(-?)(["']?)(\w+)\2[ \t]*\n([\s\S]*?)\n?[ \t]*\3\s*$/.exec(text);
  if (alone === null) return text;
  const body = alone[4] ?? "";
  return alone[1] === "-" ? body.replaceAll(/^\t+/gm, "") : body;
}
