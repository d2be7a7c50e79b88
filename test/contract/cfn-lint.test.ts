import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cfnLint } from "../../infra/cfn-lint.ts";
import { everything, stageOf, synthesized } from "../../infra/synthesized.ts";
import { pythonMissing } from "../emulators/venv.ts";

const missing = await pythonMissing();

describe.skipIf(missing !== undefined)(
  `CloudFormation's schemas${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let dir = "";
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "tracemill-lint-"));
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    test.each([
      ["dev", {}],
      ["prod", everything],
    ])(
      "accept the template of %s",
      async (name, settings) => {
        const file = join(dir, `${name}.template.json`);
        await writeFile(file, JSON.stringify(synthesized(stageOf(name, settings)).toJSON()));
        expect(await cfnLint([file])).toBe("");
      },
      300_000,
    );

    test("refuse a template that is wrong", async () => {
      const file = join(dir, "wrong.template.json");
      const Resources = { Bucket: { Type: "AWS::S3::Bucket", Properties: { Versioned: true } } };
      await writeFile(file, JSON.stringify({ Resources }));
      expect(await cfnLint([file])).toContain("Versioned");
    }, 300_000);
  },
);
