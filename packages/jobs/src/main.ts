import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import { environment } from "./config.ts";
import { watchInterruption } from "./interruption.ts";
import { jsonLog } from "./log.ts";
import { runJob } from "./run-job.ts";

const log = jsonLog((line) => process.stdout.write(line), Date.now);
const exit = (code: number): never => process.exit(code);

process.on("uncaughtException", (error) => {
  const reason = `internal error: ${messageOf(error)}`;
  log.error("job-ended", { reason, exitCode: jobExit.failed, stack: error.stack });
  exit(jobExit.failed);
});

using interruption = watchInterruption({ log, signals: process, exit });
const { signal } = interruption;
// Connections that are kept alive, and a sandbox that does not end, are no reason to stay.
exit(await runJob({ argv: process.argv.slice(2), env: environment(), log, signal }));
