import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { credentialsFor } from "../servers/capture-world.ts";
import { type ModelProvider, type ModelProviderOptions, modelProvider } from "../servers/model-provider.ts";
import { type Running, startTracemill, type UserMachine, userMachine } from "./tracemill.ts";

/** A key that a user might have. Nothing that is written may hold it. */
export const userKey = "sk-proj-Zt4qWm8vRb2nYk6cXs1pLd9fHg3jTa7uEo5iNq0wVx";

/** A user's machine, and a provider that stands for `api.openai.com`. */
export interface CapturedMachine extends AsyncDisposable {
  machine: UserMachine;
  provider: ModelProvider;
  /** The flags that lead to it. */
  route: readonly string[];
}

export async function capturedMachine(script: ModelProviderOptions["script"]): Promise<CapturedMachine> {
  const { key, cert, ca } = credentialsFor("api.openai.com");
  const provider = await modelProvider({ script, tls: { key, cert } });
  const machine = await userMachine({
    OPENAI_API_KEY: userKey,
  });
  const trusted = join(machine.dir, "provider-ca.pem");
  await writeFile(trusted, ca);
  machine.env.NODE_EXTRA_CA_CERTS = trusted;
  return {
    machine,
    provider,
    route: ["--route", `api.openai.com=${provider.origin}`],
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    },
  };
}

/** A proxy of the machine's home, stopped at the end whatever becomes of the test. */
export async function startProxy(
  { machine, route }: CapturedMachine,
  ...flags: string[]
): Promise<Running & AsyncDisposable> {
  const running = startTracemill(machine, ["proxy", "--json", ...route, ...flags]);
  const listens = Promise.withResolvers<void>();
  running.child.stdout?.on("data", () => listens.resolve());
  await Promise.race([
    listens.promise,
    running.finished.then(({ stderr }) => Promise.reject(new Error(`the proxy ended: ${stderr}`))),
  ]);
  return {
    ...running,
    [Symbol.asyncDispose]: async () => {
      running.child.kill("SIGKILL");
      await running.finished;
    },
  };
}

/** A program that asks a model by Chat Completions, streamed, and prints what it says. */
export const askProgram = `
const base = process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
const body = { model: "gpt-5.2", stream: true, messages: [{ role: "user", content: process.argv[1] }] };
const headers = { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY };
const answer = await fetch(base + "/chat/completions", { method: "POST", headers, body: JSON.stringify(body) });
const text = await answer.text();
const deltas = [...text.matchAll(/"content":("(?:[^"\\\\]|\\\\.)*")/g)].map(([, delta]) => JSON.parse(delta));
console.log(answer.status, deltas.join(""));
`;

/** Its command line: for \`tracemill proxy exec -- …\`. */
export function asking(question: string): string[] {
  return [process.execPath, "--input-type=module", "--eval", askProgram, question];
}

/** Every file below a folder that holds the text. */
export async function filesWith(dir: string, text: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const held = await Promise.all(
    files.map(async (file) => ((await readFile(file)).includes(text) ? [file] : [])),
  );
  return held.flat();
}
