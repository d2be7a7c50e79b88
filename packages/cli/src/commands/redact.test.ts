import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { jsonLinesBody } from "@tracemill/core/stored-json.ts";
import { zstd, zstdStream } from "@tracemill/core/streams.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { plantedSecrets, plantedText } from "../../../../test/fakes/planted-secrets.ts";
import { runCommand } from "../../../../test/fakes/printed.ts";
import { writeRun } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { openHome } from "../deps.ts";
import { redactCommand } from "./redact.ts";

const secrets = plantedSecrets(11);
const secret = secrets[0]?.value ?? "";
const runId = "run_FIXTURE";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
  const home = await openHome(dir.path);
  await writeRun({ trials: 3 }, home);
  const run = { schemaVersion: 1, runId, name: "n", specHash: "x", createdAt: "2026-01-01T00:00:00.000Z" };
  await home.records.put(recordKeys.run(runId), { ...run, status: "running" }, "any");
  await home.close();
});
afterEach(() => dir[Symbol.asyncDispose]());

const check = (...args: string[]) => runCommand(dir.path, redactCommand, "--check", ...args);

async function plant(): Promise<void> {
  const home = await openHome(dir.path);
  const file = (path: string, text: string): LayerEntry => ({
    type: "file",
    path,
    mode: 0o644,
    size: Buffer.byteLength(text),
    body: once(text),
  });
  const of = (name: Parameters<typeof objectKeys.attempt>[3]) => objectKeys.attempt(runId, "trl_1", 1, name);
  await home.objects.put(
    of("artifacts.tar.zst"),
    zstdStream(writeLayer([file("app/ok", "x"), file("app/.env", `A=1\nKEY=${secret}`), file(secret, "x")])),
  );
  const events = Array.from(secret, (delta) => ({ delta }));
  await home.objects.put(
    of("exchanges.jsonl.zst"),
    jsonLinesBody([{ a: 1 }, { messages: [{ content: `hi ${secret}` }] }, { _events: events }]),
  );
  await home.objects.put(
    of("trajectory.json"),
    Buffer.from(JSON.stringify({ steps: [{ message: secret }] })),
  );
  await home.objects.put("runs/other/results.csv", Buffer.from(`a,b\n1,${secret}\n`));
  await home.objects.put("runs/other/all.txt.zst", await zstd(Buffer.from(plantedText(secrets))));
  await home.records.put(
    recordKeys.trial(runId, "trl_9"),
    { status: "ended", reason: `no ${secret}` },
    "any",
  );
  await home.close();
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

describe("redact --check", () => {
  test("a home without secrets: nothing is found, exit code 0", async () => {
    const { printed, exitCode } = await check();
    expect(printed).toMatch(/^\d+ objects and records read .*; no secret found\n$/);
    expect(exitCode).toBe(0);
  });

  test("what stands where is said, and the secret never", async () => {
    await plant();
    const { printed, exitCode } = await check();
    const attempt = `runs/${runId}/trials/trl_1/1`;
    expect(printed).toContain(
      `${attempt}/artifacts.tar.zst  app/.env at byte 8\n  openai-key: KEY=[REDACTED:openai-key] (${secret.length} characters)`,
    );
    expect(printed).toContain(`${attempt}/artifacts.tar.zst  [REDACTED:openai-key] (its name)`);
    expect(printed).toContain(`${attempt}/exchanges.jsonl.zst  line 2, messages[0].content\n`);
    expect(printed).toContain(`${attempt}/exchanges.jsonl.zst  line 3\n  in-pieces`);
    expect(printed).toContain(`${attempt}/trajectory.json  steps[0].message`);
    expect(printed).toContain("runs/other/results.csv  at byte 6\n  openai-key: 1,[REDACTED");
    expect(printed).toContain(`record run#${runId}/trial#trl_9  reason\n`);
    for (const { kind, value } of secrets) {
      expect(printed).toContain(`[REDACTED:${kind}]`);
      expect(printed).not.toContain(value);
    }
    expect(printed).toMatch(/kind +found +in\n/);
    expect(exitCode).toBe(1);
  });

  test("prefixes narrow it down, and --json is for programs", async () => {
    await plant();
    const { printed, exitCode } = await check("runs/other/results", "--json");
    const [found, checked] = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(found).toMatchObject({ type: "found", where: "runs/other/results.csv", kind: "openai-key" });
    expect(checked).toMatchObject({ type: "checked", items: 1, holding: 1, counts: { "openai-key": 1 } });
    expect(exitCode).toBe(1);
  });

  test("a damaged object is named, and the others are still read", async () => {
    await plant();
    const home = await openHome(dir.path);
    await home.objects.put("runs/a.jsonl.zst", Buffer.from("no zstd"));
    await home.close();
    const { printed } = await check();
    expect(printed).toContain("not read to its end: runs/a.jsonl.zst");
    expect(printed).toContain("runs/other/results.csv");
  });

  test("a prefix that no key has is a mistake, and no clean home", async () => {
    await expect(check("runs/run_FIXTUER")).rejects.toThrow("no object's key begins with runs/run_FIXTUER");
  });

  test("without --check nothing happens, and the next step is said", async () => {
    await expect(runCommand(dir.path, redactCommand)).rejects.toThrow(/redact --check/);
  });

  test("a variable that is not set is named", async () => {
    await expect(check("--secret-env", "NO_SUCH_VARIABLE")).rejects.toThrow(/NO_SUCH_VARIABLE/);
  });
});
