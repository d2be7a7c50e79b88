import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { describe, expect, test } from "vitest";
import { agentRegistry } from "../registry.ts";
import { CommandOptions, commandProgram } from "./command.ts";
import { placeholderKey } from "./program.ts";
import { upstreamFor } from "./upstream-for.ts";

const agents = agentRegistry();

function specWith(parts: Record<string, unknown> = {}): RunSpec {
  return parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "codex" }], ...parts }, "spec");
}

function check(
  name: string,
  model: string | undefined,
  options = {},
  spec: Record<string, unknown> = {},
): void {
  const ref = { name, ...(model === undefined ? {} : { model }), options };
  agents(name).check?.(ref, specWith(spec));
}

describe("agents for the command line", () => {
  test("take models whose servers speak as they do, or are named by their address", () => {
    check("codex", "openai/gpt-5.2");
    check("claude-code", "anthropic/claude-sonnet-4-5");
    check("codex", "http://127.0.0.1:8000/v1#m");
    check("claude-code", "http://127.0.0.1:8000/v1");
    check("command", "groq/llama", { command: "aider {instruction}" });
    const mine = { mine: { url: "https://models.example.com", protocol: "messages" } };
    check("claude-code", "mine/claude-sonnet-4-5", {}, { providers: mine });
  });

  test.each([
    ["codex", "anthropic/claude-sonnet-4-5", "OpenAI's Responses API, and anthropic/claude-sonnet-4-5"],
    ["codex", "groq/llama", 'providers: { groq: { url: "https://HOST/v1", protocol: responses } }'],
    ["claude-code", "openai/gpt-5.2", 'url: "https://HOST", protocol: messages'],
    ["claude-code", "bedrock/anthropic.claude", "Converse API; choose another model"],
    ["codex", "replay/reference", "reaches its model over HTTP"],
    ["codex", undefined, "wants a `model`"],
  ])("%s with %s is refused before anything runs, with what to do", (name, model, words) => {
    expect(() => check(name, model)).toThrow(words);
  });

  test("a slip in the options is named", () => {
    expect(() => check("codex", "openai/x", { versoin: "1.0.0" })).toThrow("did you mean `version`?");
    expect(() => check("codex", "openai/x", { version: "latest" })).toThrow("an exact version");
    expect(() => check("command", "openai/x", { command: "x", install: { npm: ["aider"] } })).toThrow(
      "exact version",
    );
  });

  test("a server that is named by its address is asked in the program's own protocol", () => {
    const upstream = {
      protocol: "chat-completions",
      baseUrl: "http://h/v1",
      headers: {},
      model: "m",
    } as const;
    const messages = { name: "claude-code", protocol: "messages" } as const;
    expect(upstreamFor(messages, "http://h/v1", upstream)).toMatchObject({
      protocol: "messages",
      baseUrl: "http://h",
    });
    const responses = { name: "codex", protocol: "responses" } as const;
    expect(upstreamFor(responses, "http://h/v1", upstream)).toMatchObject({ baseUrl: "http://h/v1" });
    expect(upstreamFor({ name: "command" }, "x/y", upstream)).toBe(upstream);
  });
});

describe("command", () => {
  const door = {
    origin: "http://127.0.0.1:4000",
    model: "m-1",
    protocol: "responses" as const,
    instruction: "it's `rm -rf` $HOME\n{model}",
    workdir: "/app",
    env: { TRACKER: "t-1" },
    home: "/logs/agent/command",
    certificate: "PEM",
    isAlone: true,
  };

  test("what is filled into the command is one word of the shell, whatever it holds", () => {
    const options = CommandOptions.parse({ command: "solve {instruction} --url {baseUrl} ${HOME} {other}" });
    const launch = commandProgram(options, "/opt/x").launch(door);
    expect(launch.command.at(-1)).toBe(
      "solve 'it'\\''s `rm -rf` $HOME\n{model}' --url 'http://127.0.0.1:4000/v1' ${HOME} {other}",
    );
  });

  test("a program finds the door under the usual names, and no real key", () => {
    const options = CommandOptions.parse({ command: "solve", env: { MODEL: "openai/{model}" } });
    const { env } = commandProgram(options, "/opt/x").launch(door);
    expect(env).toMatchObject({
      OPENAI_BASE_URL: "http://127.0.0.1:4000/v1",
      OPENAI_API_KEY: placeholderKey,
      ANTHROPIC_BASE_URL: "http://127.0.0.1:4000",
      HTTPS_PROXY: "http://127.0.0.1:4000",
      SSL_CERT_FILE: "/logs/agent/command/ca-bundle.pem",
      MODEL: "openai/m-1",
    });
  });

  test("a variable's value may come from the spec's `env`, which is where secrets are", () => {
    const options = CommandOptions.parse({
      command: "solve",
      env: { TOKEN: "${TRACKER}", NOTE: "{instruction}" },
    });
    const { env } = commandProgram(options, "/opt/x").launch({ ...door, instruction: "say ${HOME}" });
    expect(env).toMatchObject({ TOKEN: "t-1", NOTE: "say ${HOME}" });
    expect(() => commandProgram(options, "/opt/x").launch({ ...door, env: {} })).toThrow(
      /options.env of command: TOKEN wants \$\{TRACKER\}/,
    );
  });

  test("where the sandbox has a network, only the model goes through the door", () => {
    const options = CommandOptions.parse({ command: "solve" });
    const { env } = commandProgram(options, "/opt/x").launch({ ...door, isAlone: false });
    expect(env).not.toHaveProperty("HTTPS_PROXY");
    const proxied = CommandOptions.parse({ command: "solve", proxy: true });
    expect(commandProgram(proxied, "/opt/x").launch({ ...door, isAlone: false }).env).toHaveProperty(
      "HTTPS_PROXY",
    );
  });

  test("its log tells the work, in the form that it says", () => {
    const program = (format: string) =>
      commandProgram(
        CommandOptions.parse({ command: "solve it", log: { path: "log.json", format } }),
        "/opt/x",
      );
    const chat = JSON.stringify([
      { role: "user", content: "Go." },
      { role: "assistant", content: "Done." },
    ]);
    expect(program("chat-messages").trajectory([{ path: "log.json", text: chat }])).toMatchObject({
      steps: [{ source: "user" }, { source: "agent", message: "Done." }],
    });
    const lines = '{"role":"user","content":"Go."}\nnoise\n{"role":"assistant","content":"Done."}\n';
    expect(program("chat-messages").trajectory([{ path: "log.json", text: lines }])?.steps).toHaveLength(2);
    expect(program("chat-messages").trajectory([])).toBeUndefined();
    expect(() => program("atif").trajectory([{ path: "log.json", text: "{}" }])).toThrow("log.json");
  });
});
