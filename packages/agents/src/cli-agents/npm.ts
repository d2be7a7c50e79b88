import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export interface NpmResult {
  exitCode: number;
  stderr: string;
}

/** Of what npm says, this much is kept. */
const mostCharacters = 64 * 1024;

/**
 * Runs the npm on the PATH, else the one that came with this Node.
 * @throws Error when there is none.
 */
export async function runNpm(args: readonly string[], cwd: string, signal: AbortSignal): Promise<NpmResult> {
  try {
    return await run("npm", args, cwd, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    const own = join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js");
    if (!existsSync(own)) throw new Error("there is no npm on the PATH; install Node.js with npm");
    return run(process.execPath, [own, ...args], cwd, signal);
  }
}

function run(command: string, args: readonly string[], cwd: string, signal: AbortSignal): Promise<NpmResult> {
  const child = spawn(command, args, { cwd, signal, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-mostCharacters);
  });
  const { promise, resolve, reject } = Promise.withResolvers<NpmResult>();
  child.on("error", reject);
  child.on("close", (code) => resolve({ exitCode: code ?? 1, stderr }));
  return promise;
}
