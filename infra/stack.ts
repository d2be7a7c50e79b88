import { type Stack, Tags } from "aws-cdk-lib";
import { abort } from "./abort.ts";
import { alarms } from "./alarms.ts";
import { api } from "./api.ts";
import { compute } from "./compute.ts";
import { dashboard } from "./dashboard.ts";
import { functions } from "./functions.ts";
import { images } from "./images.ts";
import { ingest } from "./ingest.ts";
import { jobDefinitions } from "./job-definitions.ts";
import { jobRoles } from "./job-roles.ts";
import { logs } from "./logs.ts";
import { network } from "./network.ts";
import { pipeline } from "./pipeline.ts";
import { queues } from "./queues.ts";
import { secrets } from "./secrets.ts";
import { stackInfo } from "./stack-info.ts";
import type { Stage } from "./stage-file.ts";
import { storage } from "./storage.ts";
import { triggers } from "./triggers.ts";

/** Puts a whole stage into a stack, whoever made that: plain CDK (`app.ts`), or SST (`sst.config.ts`). */
export function tracemill(stack: Stack, stage: Stage): void {
  const { app: _, ...more } = { app: "tracemill", ...stage.settings.tags };
  for (const [key, value] of Object.entries({ ...more, app: "tracemill", stage: stage.name })) {
    Tags.of(stack).add(key, value);
  }
  secrets(stack, stage);
  const parts = {
    storage: storage(stack, stage),
    queues: queues(stack, stage),
    images: images(stack, stage),
    logs: logs(stack, stage),
    network: network(stack, stage),
  };
  const jobQueues = compute(stack, stage, parts.network);
  const roles = jobRoles(stack, stage, parts);
  jobDefinitions(stack, stage, { ...parts, roles });
  const handlers = functions(stack, stage, parts);
  triggers(stack, { ...parts, functions: handlers });
  pipeline(stack, stage, { ...parts, functions: handlers, queues: jobQueues });
  abort(stack, stage, { ...parts, functions: handlers });
  ingest(stack, stage, { ...parts, functions: handlers });
  const watched = { ...parts, functions: handlers };
  alarms(stack, stage, watched);
  dashboard(stack, stage, watched);
  stackInfo(stack, stage, { ...parts, functions: handlers, jobQueues, apiUrl: api(handlers) });
}
