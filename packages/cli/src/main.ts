import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Compiled code of all that is imported below, kept for the next start; without a place to write it is not kept.
enableCompileCache(join(homedir(), ".cache", "tracemill", "compile"));

const { runCli } = await import("./program.ts");
process.exitCode = await runCli(process.argv.slice(2));
