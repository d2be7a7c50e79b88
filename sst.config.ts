import type { SSTConfig } from "sst";
import { deployRegion } from "./infra/config.ts";
import { tracemill } from "./infra/stack.ts";
import { loadStage } from "./infra/stage-file.ts";

/** The front door: `npx sst deploy --stage NAME`. What it deploys is in `infra/`, for plain CDK too (`cdk.json`). */
export default {
  config: ({ region }) => ({ name: "tracemill", region: deployRegion(region) }),
  stacks(app) {
    const stage = loadStage(app.stage, process.cwd());
    app.setDefaultRemovalPolicy(stage.retain ? "retain" : "destroy");
    app.stack(({ stack }) => tracemill(stack, stage), { id: "pipeline" });
  },
} satisfies SSTConfig;
