import { contextReplaced } from "../context-segments.ts";
import { StepWriter } from "../step-writer.ts";
import type { Trajectory } from "../trajectory.ts";
import { assemble, type NativeThread } from "./assemble.ts";
import {
  messageText,
  toolDefinitions,
  usageMetrics,
  writeAnswer,
  writeUserContent,
} from "./claude-blocks.ts";
import { fieldsOf, Leftovers, type Line, logLines, type NativeLog, textOf } from "./log-lines.ts";

/**
 * Claude Code's own logs (`CLAUDE_CONFIG_DIR/projects/**\/*.jsonl`, as version 2.1 writes them and those before it) as
 * one trajectory. Sidechains, in files of their own or among the session's lines, are its subagents. All blocks of one
 * answer are one step, however many lines they take. A compaction is noted as
 * `contextSegments` reads it.
 * @returns undefined when the logs hold no turn and no message.
 */
export function claudeCodeTrajectory(logs: readonly NativeLog[]): Trajectory | undefined {
  const meta = logs.filter(({ path }) => path.endsWith(".meta.json"));
  const startedBy = new Map(meta.map((log) => [agentIdOf(log.path), toolUseId(log)]));
  const threads = logs.filter(({ path }) => path.endsWith(".jsonl")).flatMap(readThreads);
  return assemble(
    "claude-code",
    threads.map((thread) => ({ ...thread, startedBy: startedBy.get(thread.id) })),
  );
}

function agentIdOf(path: string): string | undefined {
  return /agent-([^/]+?)(?:\.meta)?\.jsonl?$/.exec(path)?.[1];
}

function toolUseId({ text }: NativeLog): string | undefined {
  try {
    return textOf(fieldsOf(JSON.parse(text)).toolUseId);
  } catch {
    return undefined;
  }
}

/** A file holds one conversation, or, in older versions, the session's and its sidechains'. */
function readThreads(log: NativeLog): NativeThread[] {
  const leftovers = new Leftovers();
  const lines = logLines(log, leftovers);
  const ids = threadIds(lines, log.path);
  const readers = new Map<string, ThreadReader>();
  for (const [at, line] of lines.entries()) {
    const id = ids[at] ?? log.path;
    const reader = readers.get(id) ?? new ThreadReader(readers.size === 0 ? leftovers : new Leftovers());
    readers.set(id, reader);
    reader.add(line);
  }
  return [...readers].map(([id, reader]) => reader.thread(id));
}

/** To which conversation each line belongs: its agent's, else the sidechain's that its parents lead to. */
function threadIds(lines: readonly Line[], path: string): string[] {
  const main = agentIdOf(path) ?? path;
  const ofParent = new Map<unknown, string>();
  return lines.map((line) => {
    const own = textOf(line.agentId);
    const root = textOf(line.uuid) ?? main;
    const side = own ?? ofParent.get(line.parentUuid) ?? `sidechain-${root}`;
    const id = line.isSidechain === true || own !== undefined ? side : main;
    if (line.uuid !== undefined) ofParent.set(line.uuid, id);
    return id;
  });
}

/** Lines about the program's own state, and copies of what it sends. */
const bookkeeping = new Set([
  "api-request",
  "api-request-blob",
  "atis-latch",
  "cost-state",
  "file-history-snapshot",
  "last-prompt",
  "progress",
  "queue-operation",
  "tools-used",
]);

/** One answer of the model, whose blocks came in several lines. */
interface Answer {
  messageId: string | undefined;
  lines: Line[];
}

class ThreadReader {
  readonly #leftovers: Leftovers;
  /** Answers and everything else, in the order in which they began. */
  readonly #entries: (Answer | Line)[] = [];
  readonly #answers = new Map<string, Answer>();
  #isSidechain = false;
  #version: string | undefined;
  #sessionId: string | undefined;
  #model: string | undefined;
  #shape: Line = {};
  #compactions = 0;
  #boundary: unknown;

  constructor(leftovers: Leftovers) {
    this.#leftovers = leftovers;
  }

  add(line: Line): void {
    this.#isSidechain ||= line.isSidechain === true;
    this.#version ??= textOf(line.version);
    this.#sessionId ??= textOf(line.sessionId);
    if (line.type === "assistant") this.#addAnswer(line);
    else if (line.type === "api-request-shape") this.#addShape(line);
    else if (bookkeeping.has(String(line.type))) this.#leftovers.skip(String(line.type));
    else this.#entries.push(line);
  }

  thread(id: string): NativeThread {
    const writer = new StepWriter();
    this.#instruct(writer);
    for (const entry of this.#entries) {
      if (isAnswer(entry)) this.#writeAnswer(entry, writer);
      else this.#writeLine(entry, writer);
    }
    const tools = toolDefinitions(this.#shape.tools);
    return {
      id,
      isMain: !this.#isSidechain,
      agentVersion: this.#version,
      sessionId: this.#sessionId,
      model: this.#model,
      ...(tools.length > 0 && { toolDefinitions: tools }),
      steps: writer.finish(),
      extra: this.#leftovers.extra(),
      ...(this.#compactions > 0 && {
        notes: `The conversation was compacted ${this.#compactions} times: see the steps with \`extra.context_management\`.`,
      }),
    };
  }

  #instruct(writer: StepWriter): void {
    const system = messageText(this.#shape.system);
    if (system !== "") writer.say("system", { content: system, extra: {} });
  }

  #addAnswer(line: Line): void {
    const messageId = textOf(fieldsOf(line.message).id);
    const known = messageId === undefined ? undefined : this.#answers.get(messageId);
    if (known !== undefined) {
      known.lines.push(line);
      return;
    }
    const answer = { messageId, lines: [line] };
    this.#entries.push(answer);
    if (messageId !== undefined) this.#answers.set(messageId, answer);
  }

  /** What each request has in common; the first one's system prompt and tools are the conversation's. */
  #addShape(line: Line): void {
    if (Object.keys(this.#shape).length === 0) this.#shape = fieldsOf(line.shape);
    else this.#leftovers.skip("api-request-shape");
  }

  #writeAnswer({ lines }: Answer, writer: StepWriter): void {
    const messages = lines.map(({ message }) => fieldsOf(message));
    const [first] = messages;
    const model = textOf(first?.model);
    // Made by the program itself, in place of an answer that did not come.
    if (model === "<synthetic>") {
      this.#leftovers.note("program_messages", messageText(first?.content));
      return;
    }
    this.#model ??= model;
    writer.endTurn();
    writer.measure(usageMetrics(fieldsOf(messages.at(-1)?.usage)));
    writer.speak({ content: "", extra: {} });
    if (model !== undefined) writer.named(model);
    writer.at(textOf(lines[0]?.timestamp));
    for (const { content } of messages) writeAnswer(content, writer);
    writer.endTurn();
  }

  #writeLine(line: Line, writer: StepWriter): void {
    if (line.type === "user") this.#writeUser(line, writer);
    else if (line.type === "attachment") this.#writeAttachment(line, writer);
    else if (line.type === "system" && line.subtype === "compact_boundary")
      this.#boundary = line.compactMetadata ?? {};
    else if (line.type === "system") this.#leftovers.note("system_lines", line);
    else if (line.type === "summary") this.#leftovers.note("summaries", line.summary);
    else this.#leftovers.unknown(line);
  }

  #writeUser(line: Line, writer: StepWriter): void {
    const { content } = fieldsOf(line.message);
    if (line.isCompactSummary === true) this.#compact(writer);
    writeUserContent(content, writer, {}, textOf(line.timestamp));
  }

  /** The summary that follows is all that the model is shown of what was before: see `contextSegments`. */
  #compact(writer: StepWriter): void {
    this.#compactions += 1;
    const content = "From here on the model was shown a summary of what was before.";
    writer.say("system", { content, extra: { ...fieldsOf(this.#boundary), ...contextReplaced } });
    this.#instruct(writer);
  }

  /** What the program adds to the conversation by itself, as it was put into words for the model. */
  #writeAttachment(line: Line, writer: StepWriter): void {
    const rendered = Array.isArray(line.rendered) ? (line.rendered as unknown[]) : [];
    const kind = String(fieldsOf(line.attachment).type);
    if (rendered.length === 0) {
      this.#leftovers.skip(`attachment/${kind}`);
      return;
    }
    const source = line.renderedRole === "system" ? "system" : "user";
    const text = rendered.map((part) => messageText(fieldsOf(part).content)).join("\n");
    writer.say(source, { content: text, extra: { attachment: kind } });
    writer.at(textOf(line.timestamp));
  }
}

function isAnswer(entry: Answer | Line): entry is Answer {
  return Array.isArray(entry.lines) && "messageId" in entry;
}
