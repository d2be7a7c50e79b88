import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { nagged } from "./nag.ts";
import { tracemill } from "./stack.ts";
import { loadStage, nameOf } from "./stage-file.ts";

/**
 * Plain CDK: `npx cdk deploy -c stage=NAME` (default `dev`). Account and region are those of the credentials; no
 * lookup is made, so that synthesis works offline.
 */
const app = new App({ analyticsReporting: false });
const stage = loadStage(String(app.node.tryGetContext("stage") ?? "dev"), join(import.meta.dirname, ".."));
const stack = new Stack(app, nameOf(stage), { description: `Tracemill, stage ${stage.name}` });
tracemill(stack, stage);
nagged(stack);
app.synth();
