import { DockerfileParser, ModifiableInstruction } from "dockerfile-ast";

/** One instruction, as it stands in the file. */
export interface Instruction {
  /** From 1. */
  line: number;
  /** In capitals. */
  keyword: string;
  /** `--name=value` before the arguments. */
  flags: readonly { name: string; value: string }[];
  /** The arguments with continued lines joined; a here-document keeps its lines. */
  text: string;
  /** The arguments when they are a JSON array of strings. */
  json: readonly string[] | undefined;
  hasHeredoc: boolean;
}

export interface ParsedDockerfile {
  instructions: Instruction[];
  /** The escape character: a backslash unless the first lines say otherwise. */
  escaping: string;
}

/** Splits a Dockerfile into its instructions; variables are not filled in yet. */
export function parseDockerfile(text: string): ParsedDockerfile {
  const parsed = DockerfileParser.parse(text);
  const escaping = parsed.getEscapeCharacter();
  const instructions = parsed.getInstructions().map((instruction): Instruction => {
    const raw = instruction.getRawArgumentsContent() ?? "";
    const hasHeredoc = /(^|\s)<<-?["']?\w/.test(raw.split("\n")[0] ?? "");
    const joined = hasHeredoc ? raw : joinLines(raw, escaping);
    const flags = instruction instanceof ModifiableInstruction ? instruction.getFlags() : [];
    return {
      line: instruction.getRange().start.line + 1,
      keyword: instruction.getInstruction().toUpperCase(),
      flags: flags.map((flag) => ({ name: flag.getName(), value: flag.getValue() ?? "" })),
      text: joined,
      json: jsonStrings(joined),
      hasHeredoc,
    };
  });
  return { instructions, escaping };
}

/** Joins continued lines, and leaves out comment lines and empty lines among them, as the builder does. */
function joinLines(raw: string, escaping: string): string {
  const kept = raw.split(/\r?\n/).filter((line, index) => index === 0 || !/^\s*(#|$)/.test(line));
  return kept
    .map((line, index) => {
      const trimmed = line.trimEnd();
      return index < kept.length - 1 && trimmed.endsWith(escaping) ? trimmed.slice(0, -1) : line;
    })
    .join("")
    .trim();
}

function jsonStrings(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}
