import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { lintSource } from "@secretlint/core";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { RedactionPolicy } from "@tracemill/core/redact/policy.ts";
import { pythonMissing, pythonVenv } from "../test/emulators/venv.ts";
import { plantedSecrets, plantedText } from "../test/fakes/planted-secrets.ts";
import { compare, missing, note, report } from "./report.ts";
import { trajectory } from "./trajectories.ts";

const run = promisify(execFile);

const requirements = ["detect-secrets==1.5.0"];
const megabytes = 20;
const rounds = 5;

/** Text through a redactor, as trajectories and as one large text; beside secretlint and detect-secrets on the same. */
export async function benchRedact(): Promise<void> {
  const documents = trajectories();
  const clean = documents.map((each) => JSON.stringify(each)).join("\n");
  const size = clean.length / 1e6;
  const seconds = measure(() => createRedactor().text(clean));
  report("clean text", size / seconds, "MB/s", { atLeast: 50 });
  const values = measure(() => {
    const redactor = createRedactor();
    for (const each of documents) redactor.json(each);
  });
  report("clean trajectories, field by field", size / values, "MB/s", { atLeast: 50 });
  const personal = RedactionPolicy.parse({ personal: ["email", "home"] });
  note("clean text, personal data too", size / measure(() => createRedactor(personal).text(clean)), "MB/s");
  const secrets = withSecrets(clean);
  note("a secret in every 3 KB", size / measure(() => createRedactor().text(secrets)), "MB/s");
  await compareSecretlint(clean, seconds);
  await compareDetectSecrets(clean, seconds);
}

function trajectories(): object[] {
  const documents: object[] = [];
  for (let size = 0; size < megabytes * 1e6; ) {
    const document = trajectory(documents.length);
    documents.push(document);
    size += JSON.stringify(document).length;
  }
  return documents;
}

/** The fastest of some rounds, in seconds. */
function measure(work: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const startedAt = performance.now();
    work();
    return (performance.now() - startedAt) / 1_000;
  });
  return Math.min(...times);
}

function withSecrets(text: string): string {
  const every = 100_000;
  const parts = Array.from({ length: Math.ceil(text.length / every) }, (_, index) => {
    const piece = text.slice(index * every, (index + 1) * every);
    return piece + plantedText(plantedSecrets(index));
  });
  return parts.join("");
}

async function compareSecretlint(content: string, ours: number): Promise<void> {
  const rules = [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator }];
  const source = { filePath: "/log.txt", content, ext: ".txt", contentType: "text" as const };
  const startedAt = performance.now();
  await lintSource({ source, options: { config: { rules } } });
  const theirs = (performance.now() - startedAt) / 1_000;
  compare("the same text", ours, theirs, "s", "secretlint", 1);
}

async function compareDetectSecrets(content: string, ours: number): Promise<void> {
  const without = await pythonMissing();
  if (without !== undefined) return missing("detect-secrets", without);
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    const { python } = await pythonVenv(requirements);
    const scan = async (name: string, text: string): Promise<{ seconds: number; files: number }> => {
      await writeFile(join(dir, name), text);
      const startedAt = performance.now();
      // Files outside of the working directory it passes over without a word.
      const { stdout } = await run(python, ["-m", "detect_secrets", "scan", "--all-files", name], {
        cwd: dir,
      });
      const seconds = (performance.now() - startedAt) / 1_000;
      return { seconds, files: Object.keys(JSON.parse(stdout).results).length };
    };
    const small = await scan("small.txt", plantedText(plantedSecrets(1)));
    if (small.files !== 1) return missing("detect-secrets", "it did not read the file");
    const { seconds } = await scan("log.txt", content);
    compare("the same text", ours, seconds - small.seconds, "s", "detect-secrets", 1);
  } catch (error) {
    missing("detect-secrets", error instanceof Error ? error.message : String(error));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
