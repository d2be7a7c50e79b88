import { TracemillError } from "../errors.ts";
import type { TaskConfig } from "../harbor/task-config.ts";
import type { LoadedTask } from "../ports/agent.ts";
import type { Clock } from "../ports/clock.ts";
import type { Sandbox, SandboxNetwork, SandboxSpec } from "../ports/sandbox.ts";
import type { RunSpec } from "../run/spec.ts";
import { timerMs } from "./time-limit.ts";

const mib = 1024 * 1024;

/** What every sandbox gets when its task does not say: enough for a test suite, too little for a fork bomb. */
const defaultLimits = { memoryBytes: 2048 * mib, pids: 512 };

type Phase = "agent" | "verifier";

/**
 * The sandbox that a task's phase wants.
 * @throws TracemillError `invalid-task` when an `env` entry names a variable that nobody gave.
 */
export function sandboxSpecOf(task: LoadedTask, phase: Phase, spec: RunSpec, label: string): SandboxSpec {
  if (task.kind === "scenario") {
    const environment = { files: [], env: {}, buildTimeoutSec: 600 };
    return { environment, limits: defaultLimits, network: "none", label };
  }
  const { config, files, name } = task.harbor;
  const own = phase === "verifier" ? config.verifier.environment : null;
  const environment = own ?? config.environment;
  const context = files.filter((file) => file.path.startsWith("environment/"));
  const dockerfile = context.find((file) => file.path === "environment/Dockerfile");
  const compose = context.find((file) => composeFile.test(file.path));
  const { workdir, cpus, memory_mb: memoryMb, storage_mb: storageMb, docker_image: image } = environment;
  const user = config[phase].user;
  return {
    environment: {
      ...(dockerfile === undefined ? {} : { dockerfile: textOf(dockerfile.content) }),
      files: context.map((file) => ({ ...file, path: file.path.slice("environment/".length) })),
      env: resolveEnv(environment.env, spec.env, `${name}: [environment.env]`),
      buildTimeoutSec: environment.build_timeout_sec,
      ...(workdir == null ? {} : { workdir }),
      ...(image == null ? {} : { image }),
      ...(compose === undefined ? {} : { compose: textOf(compose.content) }),
    },
    limits: {
      ...defaultLimits,
      ...(memoryMb == null ? {} : { memoryBytes: memoryMb * mib }),
      ...(cpus == null ? {} : { cpus }),
      ...(storageMb == null ? {} : { diskBytes: storageMb * mib }),
    },
    network: spec.network === "none" ? "none" : networkOf(config, phase),
    ...(user == null ? {} : { user: String(user) }),
    label,
  };
}

/** Where a task's compose file is, among its files. */
export const composeFile = /^environment\/(docker-)?compose\.ya?ml$/;

function textOf(content: Uint8Array): string {
  return Buffer.from(content).toString("utf8");
}

/** What a phase may reach; the hosts come from the section that names the mode. */
function networkOf(config: TaskConfig, phase: Phase): SandboxNetwork {
  const { network_mode: mode, allowed_hosts: hosts } = networkSection(config, phase);
  if (mode === "allowlist") return { allow: hosts ?? [] };
  return mode === "public" ? "host" : "none";
}

/** The network mode that a task's phase has, by the nearest section that names one. */
export function networkModeOf(config: TaskConfig, phase: Phase): TaskConfig["environment"]["network_mode"] {
  return networkSection(config, phase).network_mode ?? "public";
}

function networkSection(config: TaskConfig, phase: Phase) {
  const sections = [config[phase], config.verifier.environment, config.environment];
  return sections.find((section) => section?.network_mode != null) ?? config.environment;
}

/**
 * Fills `${NAME}` and `${NAME:-default}` from the spec's `env`. The host's own variables are never read: a
 * task could be somebody else's.
 */
export function resolveEnv(
  env: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
  where: string,
): Record<string, string> {
  const resolved = Object.entries(env).map(([key, value]) => {
    const text = value.replaceAll(
      /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g,
      (_, name: string, fallback?: string) => {
        const found = given[name] ?? fallback;
        if (found !== undefined) return found;
        throw new TracemillError(
          "invalid-task",
          `${where}: ${key} wants \${${name}}; give it under \`env\` in the run's spec`,
        );
      },
    );
    return [key, text] as const;
  });
  return Object.fromEntries(resolved);
}

/** Waits until the task's health check succeeds. @throws TracemillError `sandbox-failed` when it never does. */
export async function awaitHealthy(
  config: TaskConfig,
  sandbox: Sandbox,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const check = config.environment.healthcheck;
  if (check == null) return;
  const startedAt = clock.now();
  for (let failures = 0; ; ) {
    const timeoutMs = timerMs(check.timeout_sec);
    const result = await sandbox.exec(["/bin/sh", "-c", check.command], { timeoutMs, signal });
    if (result.exitCode === 0) return;
    const starting = clock.now() - startedAt < check.start_period_sec * 1_000;
    if (!starting) failures += 1;
    if (failures >= check.retries) {
      throw new TracemillError(
        "sandbox-failed",
        `the health check failed ${failures} times: \`${check.command}\` exits with ${result.exitCode}`,
      );
    }
    await clock.sleep((starting ? check.start_interval_sec : check.interval_sec) * 1_000, signal);
  }
}
