import { TracemillError } from "@tracemill/core/errors.ts";
import type { ExecResult } from "@tracemill/core/ports/sandbox.ts";
import { resultOf } from "../namespace/exec.ts";
import type { Box } from "./box.ts";
import { ownSettings } from "./script.ts";

/** How long a script of ours may take: listing a box, or copying a batch of files into it. */
const timeoutMs = 600_000;

/** Runs a script of ours to its end; the exit code is the caller's business. */
export async function runOwn(box: Box, script: string): Promise<ExecResult> {
  const process = await box.run(ownSettings + script, { input: false });
  return resultOf(process, { timeoutMs, maxOutputBytes: 64 * 1024 });
}

/** What a script of ours prints, as it comes. @throws TracemillError `sandbox-failed` when it fails. */
export async function* outputOf(box: Box, script: string, doing: string): AsyncGenerator<Buffer> {
  const { stdout, stderr, ended, killTree } = await box.run(ownSettings + script, { input: false });
  let errors = "";
  stderr.on("data", (chunk: Buffer) => {
    if (errors.length < 4096) errors += chunk.toString("utf8");
  });
  try {
    for await (const chunk of stdout) yield chunk as Buffer;
    const code = await ended;
    if (code !== 0) throw failed(doing, code, errors);
  } finally {
    // Of one that is done this does nothing.
    killTree();
  }
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
