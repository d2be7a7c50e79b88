import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cliAgents } from "@tracemill/agents/cli-agents/agents.ts";
import { programsOf } from "@tracemill/agents/cli-agents/machine.ts";
import type { AskedModel } from "../servers/model-provider/asked.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { repository, type UserMachine } from "./tracemill.ts";

/** Programs of agents are some hundred megabytes: they are installed once for all tests. */
const installed = join(repository, "node_modules/.cache/tracemill/agents");
const agents = cliAgents(programsOf({ dir: installed }));

/** Installs an agent's programs with this process's npm settings: a test's machine has a home without any. */
export async function shareInstalled({ home }: UserMachine, name: string): Promise<void> {
  if (name !== "command") {
    const agent = agents.find((candidate) => candidate.name === name);
    await agent?.layers?.({ name }, new AbortController().signal);
  }
  await mkdir(installed, { recursive: true });
  await mkdir(join(home, "cache"), { recursive: true });
  await symlink(installed, join(home, "cache/agents"));
}

const greet = '#!/bin/sh\n# Greets whoever is named.\necho "Hello, $2!"\n';

/** The name is to be greeted, the usage told without one, and the repair committed where there is git. */
const tests = `#!/bin/bash
cd /app
[ "$(sh greet.sh Ada)" = "Hello, Ada!" ] && [ -z "$(git status --porcelain 2>/dev/null)" ] \\
  && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt
`;

/** A repository with a fault in it. @param lines what its Dockerfile has besides. */
export async function greetTask(dir: string, from: string, lines: readonly string[] = []): Promise<string> {
  const task = join(dir, "greet");
  const dockerfile = [`FROM ${from}`, "WORKDIR /app", "COPY greet.sh /app/greet.sh", ...lines].join("\n");
  const files = {
    "task.toml":
      'schema_version = "1.4"\n[task]\nname = "acme/greet"\n[agent]\ntimeout_sec = 60\n[environment]\nnetwork_mode = "no-network"\n',
    "instruction.md": "greet.sh does not greet the one whom it is given. Repair it, and commit that.\n",
    "environment/Dockerfile": `${dockerfile}\n`,
    "environment/greet.sh": greet,
    "tests/test.sh": tests,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(task, path, ".."), { recursive: true });
    await writeFile(join(task, path), text);
  }
  return task;
}

/** Makes the task's folder a repository of git, with one commit. */
export const withGit = [
  "RUN git init -q && git config user.name Ada && git config user.email ada@example.com && git add -A && git commit -qm first",
];

/** A call of the shell tool, under the name that this agent's request gives it. */
export function shell({ tools }: AskedModel, command: string): NonNullable<ModelReply["toolCalls"]>[number] {
  const isCodex = tools.some(({ name }) => name === "exec_command");
  return isCodex
    ? { name: "exec_command", arguments: { cmd: command } }
    : { name: "Bash", arguments: { command } };
}

export function turnsSoFar({ messages }: AskedModel): number {
  let turns = 0;
  let before = "";
  for (const { role } of messages) {
    if (role === "assistant" && before !== "assistant") turns += 1;
    before = role;
  }
  return turns;
}

/** What a model would do about the task: look, repair, look again, say so. */
export function repairs(asked: AskedModel): ModelReply {
  const turn = turnsSoFar(asked);
  const usage = { promptTokens: 1_000 + 100 * turn, completionTokens: 20 + turn, cachedTokens: 100 * turn };
  const replies: ModelReply[] = [
    {
      reasoning: "The fault must be in the script.",
      text: "I look at it.",
      toolCalls: [shell(asked, "cat greet.sh"), shell(asked, "sh greet.sh Ada; exit 3")],
    },
    { toolCalls: [shell(asked, "sed -i 's/\\$2/$1/' greet.sh && (git commit -qam repaired || true)")] },
    { text: "Does it work?", toolCalls: [shell(asked, "sh greet.sh Ada")] },
  ];
  return { ...(replies[turn] ?? { text: "It greets \u00fcnicode too." }), usage };
}
