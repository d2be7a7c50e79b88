import { TracemillError } from "@tracemill/core/errors.ts";
import type { ExecResult } from "@tracemill/core/ports/sandbox.ts";
import { resultOf } from "../namespace/exec.ts";
import type { PipedProcess } from "../namespace/process.ts";
import type { Box } from "./box.ts";
import { ownSettings } from "./script.ts";

/** How long a script of ours may take that copies a batch of files, or looks at something. */
const timeoutMs = 300_000;

/** How long one that prints may print nothing: a process in the box may have stopped it. */
const silenceMs = 120_000;

/** Once it is done, all that it has printed is on our side already; whoever else holds its output open adds nothing. */
const lingerMs = 250;

/** Runs a script of ours to its end; the exit code is the caller's business. */
export async function runOwn(box: Box, script: string): Promise<ExecResult> {
  const process = await box.run(ownSettings + script, { input: false });
  return resultOf(process, { timeoutMs, maxOutputBytes: 64 * 1024 });
}

interface OwnOutput {
  exitCode: number;
  stderr: string;
}

/**
 * What a script of ours prints, as it comes, and how it ended.
 * @throws TracemillError `sandbox-failed` when it falls silent.
 */
export async function* printed(box: Box, script: string): AsyncGenerator<Buffer, OwnOutput> {
  const process = await box.run(ownSettings + script, { input: false });
  let errors = "";
  process.stderr.on("data", (chunk: Buffer) => {
    if (errors.length < 4096) errors += chunk.toString("utf8");
  });
  const chunks = process.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await nextOf(chunks, process);
      if (next === undefined) return { exitCode: await process.ended, stderr: errors };
      yield next;
    }
  } finally {
    // Of one that is done this does nothing.
    process.killTree();
    process.stdout.destroy();
  }
}

async function nextOf(
  chunks: AsyncIterator<Buffer>,
  { ended }: Pick<PipedProcess, "ended">,
): Promise<Buffer | undefined> {
  const timers = new Set<NodeJS.Timeout>();
  const after = <T>(ms: number, value: T): Promise<T> =>
    new Promise((resolve) => timers.add(setTimeout(resolve, ms, value)));
  const over = ended.then(() => after(lingerMs, "over" as const));
  try {
    const next = await Promise.race([chunks.next(), over, after(silenceMs, "silent" as const)]);
    if (next === "silent") throw new TracemillError("sandbox-failed", "a box gives no answer any more");
    return next === "over" || next.done === true ? undefined : next.value;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

/** What a script of ours prints, as it comes. @throws TracemillError `sandbox-failed` when it fails. */
export async function* outputOf(box: Box, script: string, doing: string): AsyncGenerator<Buffer> {
  const { exitCode, stderr } = yield* printed(box, script);
  if (exitCode !== 0) throw failed(doing, exitCode, stderr);
}

/** All that a script of ours prints. @throws TracemillError `sandbox-failed` when it fails, or prints too much. */
export async function wholeOutput(
  box: Box,
  script: string,
  { doing, maxBytes }: { doing: string; maxBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of outputOf(box, script, doing)) {
    size += chunk.length;
    if (size > maxBytes)
      throw new TracemillError("sandbox-failed", `${doing} in a box: more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function failed(doing: string, code: number, errors: string): TracemillError {
  const said = errors.trim().slice(0, 2_000);
  return new TracemillError("sandbox-failed", `${doing} in a box failed with ${code}${said && `: ${said}`}`);
}
