import { execFile } from "node:child_process";
import { join } from "node:path";
import { pythonVenv } from "../test/emulators/venv.ts";

/** Explained exceptions. */
const ignored = [
  // CDK states a function's dependency on its role, which the role's ARN implies.
  "W3005",
];

/**
 * Checks templates against CloudFormation's own schemas of resources.
 * @returns what cfn-lint found, as it prints it; empty when that is nothing.
 */
export async function cfnLint(templates: readonly string[], region = "us-east-1"): Promise<string> {
  const { bin } = await pythonVenv(["cfn-lint==1.58.0"]);
  const args = ["--region", region, "--ignore-checks", ...ignored, "--template", ...templates];
  return new Promise((resolve, reject) => {
    execFile(join(bin, "cfn-lint"), args, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      // Its exit code says what it found: 2 errors, 4 warnings, 8 hints, added up. Anything else is its own failure.
      const code = error === null ? 0 : error.code;
      if (typeof code === "number" && code < 16 && code % 2 === 0) resolve(stdout);
      else reject(new Error(`cfn-lint: ${stderr || error?.message}`));
    });
  });
}
