import { describe, expect, test } from "vitest";
import { actionsWithoutResource } from "./permissions.ts";
import { everything, stageOf, synthesized } from "./synthesized.ts";

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource?: unknown;
  Principal?: unknown;
  Condition?: unknown;
}

const list = <T>(value: T | readonly T[]): T[] => (Array.isArray(value) ? [...value] : [value as T]);

/** What deletes a bucket's objects when a stage that keeps nothing is removed; CDK's own. */
const ofCdk = /^CustomS3AutoDelete|^BucketPolicy/;

/** Every statement of every policy, with the resource that it belongs to. */
function statementsOf(template: ReturnType<typeof synthesized>): [string, Statement][] {
  const found: [string, Statement][] = [];
  const walk = (id: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("Statement" in value) for (const each of list(value.Statement)) found.push([id, each as Statement]);
    else for (const inner of Object.values(value)) walk(id, inner);
  };
  for (const [id, resource] of Object.entries(template.toJSON().Resources)) walk(id, resource);
  return found;
}

const stages = { "with defaults": stageOf("dev"), "with everything on": stageOf("prod", everything) };

describe.each(Object.entries(stages))("a stage %s", (_which, stage) => {
  const statements = statementsOf(synthesized(stage));
  const allowed = statements.filter(([id, { Effect }]) => Effect === "Allow" && !ofCdk.test(id));

  test("has policies, and none that leaves an action open", () => {
    expect(allowed.length).toBeGreaterThan(60);
    for (const [id, { Action }] of allowed) {
      for (const action of list(Action)) expect(action, id).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
    }
  });

  test("names the resource of every action that has one", () => {
    const open = allowed.filter(([, { Resource }]) => list(Resource).includes("*"));
    const known = new Set<string>(actionsWithoutResource);
    const actions = open.flatMap(([, { Action }]) => list(Action));
    expect(actions.filter((action) => !known.has(action))).toEqual([]);
    expect(open.length).toBeGreaterThan(0);
  });

  test("touches objects and rows of its own bucket and table only", () => {
    const data = allowed.filter(([, { Action }]) =>
      list(Action).some((action) => /^(s3|dynamodb|secretsmanager|sqs):/.test(action)),
    );
    for (const [id, { Resource, Principal }] of data) {
      // Actions without a resource are the test's before this one.
      if (Principal !== undefined || Resource === "*") continue;
      for (const resource of list(Resource)) {
        const text = JSON.stringify(resource);
        expect(text, id).toMatch(
          /"Fn::GetAtt":\["(Bucket|Table|IngestQueue|Undelivered)|:secret:tracemill\//,
        );
        // A whole bucket is nobody's.
        expect(text, id).not.toMatch(/"\/\*"\]/);
      }
    }
  });

  test("lets only trials' own secrets to workers, and the production API's token to those who read it", () => {
    const readers = allowed.filter(([, { Action }]) =>
      list(Action).includes("secretsmanager:GetSecretValue"),
    );
    for (const [id, { Resource }] of readers) {
      const text = JSON.stringify(Resource);
      const holdsToken = text.includes("PROD_API_TOKEN");
      expect(holdsToken, id).toBe(/^(Roleingest|StepRole)/.test(id));
      expect(text).toContain("-??????");
    }
  });

  test("calls the models of Bedrock that its settings name, from trials alone", () => {
    const callers = allowed.filter(([, { Action }]) => list(Action).includes("bedrock:InvokeModel"));
    expect(callers.map(([id]) => id)).toEqual(
      stage.settings.bedrockModels.length === 0 ? [] : [expect.stringMatching(/^WorkerRole/)],
    );
    for (const [, { Resource }] of callers) {
      const text = JSON.stringify(Resource);
      expect(text).toContain(":bedrock:*::foundation-model/anthropic.claude-*");
      expect(text).toContain(":inference-profile/*.anthropic.claude-*");
      // Named by a profile: that one alone, and the model that it calls.
      expect(text).toContain(":bedrock:*::foundation-model/amazon.nova-*");
      expect(text).toContain(":inference-profile/eu.amazon.nova-*");
    }
  });

  test("hands roles on to ECS alone", () => {
    const passes = allowed.filter(([, { Action }]) => list(Action).includes("iam:PassRole"));
    expect(passes).toHaveLength(1);
    for (const [, { Condition, Resource }] of passes) {
      expect(Condition).toEqual({ StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } });
      expect(list(Resource)).toHaveLength(2);
    }
  });

  test("deletes no object but an ingest's checkpoints", () => {
    const deletes = allowed.filter(([, { Action }]) =>
      list(Action).some((action) => action.startsWith("s3:Delete")),
    );
    for (const [, { Resource }] of deletes) expect(JSON.stringify(Resource)).toMatch(/\/(raw|spool)\/\*/);
    expect(deletes.length).toBeGreaterThan(0);
  });

  test("is open to no other account and to nobody in public", () => {
    for (const [id, { Effect, Principal, Condition }] of statements) {
      if (Effect !== "Allow" || Principal === undefined) continue;
      const text = JSON.stringify(Principal);
      if (text.includes('"*"')) expect(Condition, id).toBeDefined();
    }
  });
});
