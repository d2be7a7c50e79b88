import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const config = `schema_version = "1.4"
[task]
name = "test/slow"
[agent]
timeout_sec = 60.0
[verifier]
timeout_sec = 60.0
[environment]
network_mode = "no-network"
`;

/** A task below `dir` whose solution takes so many seconds, so that a test can come between. */
export async function slowTask(dir: string, seconds: number): Promise<void> {
  const files = {
    "task.toml": config,
    "instruction.md": "Write `done` to /app/out.txt.",
    "environment/Dockerfile": "FROM debian:bookworm\nWORKDIR /app\n",
    "solution/solve.sh": `#!/bin/bash\nsleep ${seconds}\necho done > /app/out.txt\n`,
    "tests/test.sh":
      '#!/bin/bash\n[ "$(cat /app/out.txt)" = done ]; echo $((1 - $?)) > /logs/verifier/reward.txt\n',
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, "tasks/slow", name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
  }
}

/** A run of it: one shard of `trials` trials, two at once. */
export const slowSpec = (name: string, trials: number) => `name: ${name}
tasks: [./tasks]
agents: [{ name: oracle }]
attempts: ${trials}
concurrency: 2
export: { name: ${name}, formats: [sft, trials], splits: { train: 1 } }
`;
