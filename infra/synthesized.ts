import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import type { z } from "zod";
import { Settings } from "./settings.ts";
import { tracemill } from "./stack.ts";
import { nameOf, type Stage } from "./stage-file.ts";

export const root = join(import.meta.dirname, "..");

/** An image that needs no Docker. */
const workerImage = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/worker:1";

/** A stage as a file would make it; its images are prebuilt. */
export function stageOf(name: string, settings: z.input<typeof Settings> = {}): Stage {
  const parsed = Settings.parse({ workerImage, ...settings });
  return { name, settings: parsed, retain: parsed.retain ?? name === "prod", root };
}

/** The stack of a stage, before synthesis. Assets are hashed, not copied. */
export function stackOf(stage: Stage): Stack {
  const app = new App({ analyticsReporting: false, context: { "aws:cdk:disable-asset-staging": true } });
  const stack = new Stack(app, nameOf(stage));
  tracemill(stack, stage);
  return stack;
}

export function synthesized(stage: Stage): Template {
  return Template.fromStack(stackOf(stage));
}

/** The properties of a template's resources of a type, in its order. */
export function propertiesOf(template: Template, type: string) {
  return Object.values(template.findResources(type)).map(({ Properties }) => Properties);
}

/** A stage with everything on. */
export const everything: z.input<typeof Settings> = {
  source: { name: "prod", baseUrl: "https://production.example/api" },
  schedule: { expression: "cron(0 2 * * ? *)", timezone: "Europe/Zurich" },
  startRun: { spec: "nightly" },
  secrets: ["OPENAI_API_KEY"],
  bedrockModels: ["anthropic.claude-*", "eu.amazon.nova-*"],
  tracing: true,
  network: { subnets: "private", flowLogs: true },
  storage: { expireRunsAfterDays: 90 },
  alarms: { email: "ops@example.com" },
  compute: { gpu: { maxVcpus: 32, image: workerImage }, container: { arm: true }, host: { arm: true } },
};
