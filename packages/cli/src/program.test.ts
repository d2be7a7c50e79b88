import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

/** Prints the addresses of all that a command line loads, after its own output. */
const listLoaded = `
import { registerHooks } from "node:module";
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
process.argv = [process.argv[0], "tracemill", ...JSON.parse(process.env.ARGS)];
await import(process.env.MAIN);
process.stdout.write("\\n" + loaded.join("\\n"));
`;

async function loadedBy(...args: string[]): Promise<string[]> {
  const env = { ARGS: JSON.stringify(args), MAIN: new URL("./main.ts", import.meta.url).href };
  const command = ["--input-type=module", "--eval", listLoaded];
  const { stdout } = await run(process.execPath, command, {
    env,
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  return stdout.split("\n");
}

test.each([["--help"], ["run", "--help"], ["status", "--help"]])(
  "the AWS SDK, which takes a quarter of a second, is not loaded for `tracemill %s`",
  async (...args) => {
    const loaded = await loadedBy(...args);
    expect(loaded.some((url) => url.endsWith("/program.ts"))).toBe(true);
    expect(loaded.filter((url) => /node_modules\/@(aws-sdk|smithy)\//.test(url))).toEqual([]);
  },
);
