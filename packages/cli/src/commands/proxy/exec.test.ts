import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { readJsonLines } from "@tracemill/core/stored-json.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { expect, test } from "vitest";
import { gather } from "../../../../../test/fakes/gather.ts";
import { memoryObjectStore } from "../../../../../test/fakes/memory-stores.ts";
import { tempDir } from "../../../../../test/fakes/temp-dir.ts";
import { modelProvider } from "../../../../../test/servers/model-provider.ts";
import { readConfig } from "../../config.ts";
import type { CliContext, CloudHome } from "../../context.ts";
import { createOutput } from "../../output.ts";
import { captureProgram, type ExecOptions } from "./exec.ts";

/** A command line's context whose stage has its bucket in memory. */
function contextOf(home: string, objects: ObjectStore) {
  const notes: string[] = [];
  const { signal } = new AbortController();
  const write = (text: string): void => {
    notes.push(text);
  };
  const cloud = { objects, locate: (key: string) => `s3://bucket/${key}`, close: async () => {} };
  const context: CliContext = {
    config: readConfig({}),
    home,
    openHome: () => Promise.reject(new Error("no stores of this machine are wanted")),
    openCloud: async () => cloud as unknown as CloudHome,
    clock: systemClock,
    random: Math.random,
    signal,
    draining: signal,
    out: createOutput({ stdout: { write }, stderr: { write } }),
    exitCode: 0,
  };
  return { context, notes };
}

const askOnce = `
const answer = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ model: "gpt-5.2", messages: [{ role: "user", content: "hello" }] }),
});
process.exitCode = answer.status === 200 ? 3 : 4;
`;

test("with --on aws a program's exchanges are in the stage's bucket when it ends", async () => {
  await using dir = await tempDir();
  await using provider = await modelProvider({ script: () => ({ text: "hi" }) });
  const objects = memoryObjectStore();
  const { context, notes } = contextOf(dir.path, objects);
  const route = { "api.openai.com": provider.origin };
  const options: ExecOptions = { on: "aws", session: "one", baseUrl: true, route };
  await captureProgram([process.execPath, "--input-type=module", "--eval", askOnce], options, context);
  expect(context.exitCode).toBe(3);
  expect(notes.join("")).toContain("session one: a model was asked 1 times, in s3://bucket/captures/one/\n");
  const parts = (await gather(objects.list("captures/one/"))).map(({ key }) => key);
  expect(parts).toEqual(["captures/one/exchanges.jsonl.zst", expect.stringMatching(/session-\w+\.json$/)]);
  const [exchange] = await gather(readJsonLines(objects, "captures/one/exchanges.jsonl.zst"));
  expect(exchange).toMatchObject({
    url: "https://api.openai.com/v1/chat/completions",
    response: { status: 200 },
  });
});

test("captures that cannot be written are said to be lost, and the command fails", async () => {
  await using dir = await tempDir();
  await using provider = await modelProvider({ script: () => ({ text: "hi" }) });
  const put = () => Promise.reject(new Error("access denied"));
  const { context, notes } = contextOf(dir.path, { ...memoryObjectStore(), put });
  const route = { "api.openai.com": provider.origin };
  const options: ExecOptions = { on: "aws", session: "one", baseUrl: true, route };
  const program = [process.execPath, "--input-type=module", "--eval", askOnce];
  await expect(captureProgram(program, options, context)).rejects.toThrow("access denied");
  expect(notes.join("")).toContain("error: the capture proxy: access denied");
  expect(context.exitCode).toBe(1);
});
