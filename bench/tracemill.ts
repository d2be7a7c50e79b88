import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../packages/cli/bin/tracemill.js", import.meta.url));

/** Runs one command line in a process of its own, as a user would. @throws what it wrote, when it failed. */
export async function tracemill(
  home: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ stdout: string; ms: number }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, TRACEMILL_HOME: home, TRACEMILL_ON: "local", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number | null>((done) => child.on("close", done)),
  ]);
  if (code !== 0) throw new Error(`tracemill ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return { stdout, ms: performance.now() - startedAt };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
