import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { boxCommand } from "@tracemill/agents/sandbox/job/box-command.ts";
import { bringsItsTools } from "@tracemill/agents/sandbox/job/busybox.ts";
import { layersAt } from "@tracemill/agents/sandbox/job/layers.ts";
import { jobSandboxes } from "@tracemill/agents/sandbox/job/provider.ts";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { NamespaceSandbox } from "@tracemill/agents/sandbox/namespace/sandbox.ts";
import type { SandboxProvider, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";

export type BoxShell = "dash" | "bash" | "busybox";

const installed = ["/usr/bin/busybox", "/bin/busybox"].find((path) => existsSync(path));
const isStandalone = installed !== undefined && bringsItsTools(installed);

/** The program that a worker's image brings for its boxes (Debian's busybox-static), where this machine has it. */
export const workerBusybox = isStandalone ? installed : undefined;
/** One as Alpine has it, for an image: its shell runs what is on the path. */
export const imageBusybox = isStandalone ? undefined : installed;

export interface EcsTaskOptions {
  /** For volumes and containers. */
  home: string;
  /** What `/bin/sh` of the image is; with `busybox` all of the box's own tools are its. */
  shell?: BoxShell;
  /** Whether the worker brings its busybox. */
  ownTools?: boolean;
}

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What ECS and Batch give a container besides. */
export const awsVariables = {
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/11111111-2222-3333-4444-555555555555",
  AWS_BATCH_JOB_ID: "job",
  ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/container",
};

/** Folders of this machine's system that an image does not need; without them it is as small as most are. */
const slim = `RUN rm -rf /opt/* /usr/share /usr/include /usr/local/go /usr/lib/google-cloud-sdk /usr/lib/node_modules /usr/lib/jvm \\
  /usr/lib/postgresql /usr/lib/llvm-* /usr/lib/debug /usr/lib/systemd \\
  /usr/lib/python3/dist-packages/* /var/lib/dpkg/* && mkdir /usr/share`;

const shells: Record<BoxShell, string> = {
  dash: "RUN ln -sf dash /bin/sh",
  bash: "RUN ln -sf bash /bin/sh",
  busybox:
    "RUN mkdir /bb && cp $(command -v busybox) /bb && /bb/busybox --install -s /bb && ln -sf /bb/busybox /bin/sh\nENV PATH=/bb",
};

/**
 * Plays the task that Fargate would run for a job: containers of an image (sandboxes of namespaces here, built from the
 * environment's Dockerfile), which run what their job definition says, each with a volume at `/tracemill` that the
 * worker sees under a number.
 */
export function ecsTasks({ home, shell = "dash", ownTools = false }: EcsTaskOptions) {
  const containers = namespaceSandboxes({
    dir: join(home, "containers", shell),
    cacheDir: join(home, "images"),
  });

  /** Starts a task. @returns the folders that its worker has at `/tracemill`, and how to stop it. */
  const start = async (spec: Partial<SandboxSpec> = {}, boxes = 1) => {
    mkdirSync(home, { recursive: true });
    const dir = mkdtempSync(join(home, "task-"));
    const layersDir = mkdtempSync(join(home, "layers-"));
    const volume = { id: "layers", dir: layersDir, path: layersAt };
    const running = await Promise.all(
      Array.from({ length: boxes }, async (_, index) => {
        const container = await containers.create({
          ...imageOf(spec, shell),
          layers: [volume],
          limits: { memoryBytes: 2 * 1024 ** 3, pids: 300 },
          // A task's containers share one network; here it is this machine's.
          network: "host",
          label: `box-${index}`,
        });
        if (!(container instanceof NamespaceSandbox)) throw new Error("no sandbox of namespaces");
        await container.exec(["mkdir", "-p", "/tracemill"], { cwd: "/" });
        symlinkSync(`/proc/self/fd/${container.root}/tracemill`, join(dir, String(index)));
        const first = await container.start(boxCommand, { env: awsVariables });
        const over = first.exited.then(() => container.close());
        return { container, over, kill: () => first.kill() };
      }),
    );
    return {
      dir,
      layersDir,
      running,
      stop: () => Promise.all(running.map(({ container }) => container.close())),
    };
  };

  /** One task with one box for each sandbox: an image is chosen by a job's definition, not by its worker. */
  const provider: SandboxProvider = {
    name: "job",
    create: async (spec) => {
      spec.signal?.throwIfAborted();
      const task = await start(spec);
      const sandboxes = jobSandboxes({
        ...(ownTools && workerBusybox !== undefined ? { busybox: workerBusybox } : {}),
        dir: task.dir,
        layersDir: task.layersDir,
        environment: JSON.stringify(spec.environment.dockerfile),
      });
      const { environment } = spec;
      const sandbox = await sandboxes.create({
        ...spec,
        environment: { ...environment, env: { PATH: usualPath, ...environment.env } },
        network: "host",
      });
      return Object.assign(sandbox, {
        close: async () => {
          await Object.getPrototypeOf(sandbox).close.call(sandbox);
          await task.running[0]?.over;
        },
      });
    },
    doctor: async () => [],
    close: async () => undefined,
  };
  return { start, provider };
}

function imageOf({ environment }: Partial<SandboxSpec>, shell: BoxShell): Pick<SandboxSpec, "environment"> {
  const [, ...rest] = (environment?.dockerfile ?? "FROM base").split("\n");
  const dockerfile = ["FROM base", slim, ...rest, shells[shell]].join("\n");
  return { environment: { files: environment?.files ?? [], env: {}, dockerfile, buildTimeoutSec: 120 } };
}
