import { boxCommand } from "@tracemill/agents/sandbox/job/box-command.ts";
import type {
  JobDefinition,
  RegisterJobDefinitionCommandInput,
} from "@tracemill/aws/control/job-definitions.ts";
import { baseRevisionTag } from "@tracemill/aws/pipeline/base-revision.ts";
import { TracemillError } from "@tracemill/core/errors.ts";

type Task = NonNullable<NonNullable<JobDefinition["ecsProperties"]>["taskProperties"]>[number];
type Container = NonNullable<Task["containers"]>[number];
type Volume = NonNullable<Task["volumes"]>[number];

/** Containers of the task's image beside the worker: a task of ECS has at most ten in all. */
export const boxes = 9;

/** The one that the base definition has, as the pattern for all. */
const pattern = "box-0";

const boxName = (index: number): string => `box-${index}`;

/**
 * The job definition of an environment (`sandbox: job`): the stage's base definition, which has a worker and one box,
 * with nine boxes of the environment's image. Each box has a volume of its own, so that none sees another's.
 * @throws TracemillError `invalid-input` when the base definition is not as the stage deploys it.
 */
export function sandboxDefinition(
  base: JobDefinition,
  { name, image }: { name: string; image: string },
): RegisterJobDefinitionCommandInput {
  const { retryStrategy, timeout, parameters, schedulingPriority, propagateTags, platformCapabilities } =
    base;
  const common = {
    retryStrategy,
    timeout,
    parameters,
    schedulingPriority,
    propagateTags,
    platformCapabilities,
    tags: tagsOf(base),
  };
  const given = Object.fromEntries(Object.entries(common).filter(([, value]) => value !== undefined));
  const [task, ...others] = base.ecsProperties?.taskProperties ?? [];
  if (task === undefined || others.length > 0) throw notAsDeployed(base, "one task");
  return {
    ...given,
    jobDefinitionName: name,
    type: "container",
    ecsProperties: { taskProperties: [withBoxes(task, image, base)] },
  };
}

/** The base's own, and which revision it is. Batch refuses tags that AWS puts there itself, as CloudFormation does. */
function tagsOf({ tags = {}, revision }: JobDefinition): Record<string, string> {
  const own = Object.entries(tags).filter(([key]) => !key.startsWith("aws:"));
  return { ...Object.fromEntries(own), [baseRevisionTag]: String(revision) };
}

function withBoxes(task: Task, image: string, base: JobDefinition): Task {
  const containers = task.containers ?? [];
  if (!containers.some(({ name }) => name === pattern))
    throw notAsDeployed(base, `a container \`${pattern}\``);
  return {
    ...task,
    containers: containers.flatMap((container) =>
      container.name === pattern
        ? Array.from({ length: boxes }, (_, index) => boxOf(container, index, image))
        : [besideBoxes(container)],
    ),
    volumes: (task.volumes ?? []).flatMap((volume) => repeated(volume, isOfBox(volume), volumeOf)),
  };
}

function boxOf(container: Container, index: number, image: string): Container {
  return {
    ...container,
    name: boxName(index),
    image,
    command: [...boxCommand],
    mountPoints: (container.mountPoints ?? []).map((mount) =>
      mount.sourceVolume === pattern ? { ...mount, sourceVolume: boxName(index) } : mount,
    ),
  };
}

/** The worker sees every box's volume, and starts after all of them. */
function besideBoxes(container: Container): Container {
  const { mountPoints = [], dependsOn = [] } = container;
  return {
    ...container,
    mountPoints: mountPoints.flatMap((mount) =>
      repeated(mount, mount.sourceVolume === pattern, (each, index) => ({
        ...each,
        sourceVolume: boxName(index),
        containerPath: (each.containerPath ?? "").replace(/0$/, String(index)),
      })),
    ),
    ...(dependsOn.length === 0
      ? {}
      : {
          dependsOn: dependsOn.flatMap((each) =>
            repeated(each, each.containerName === pattern, (one, index) => ({
              ...one,
              containerName: boxName(index),
            })),
          ),
        }),
  };
}

function isOfBox({ name }: Volume): boolean {
  return name === pattern;
}

function volumeOf(volume: Volume, index: number): Volume {
  return { ...volume, name: boxName(index) };
}

function repeated<T>(value: T, isPattern: boolean, copy: (value: T, index: number) => T): T[] {
  return isPattern ? Array.from({ length: boxes }, (_, index) => copy(value, index)) : [value];
}

/** The worker of the base definition, whose image is also the system of tasks that bring none. */
export function workerImage(base: JobDefinition): string {
  const worker = base.ecsProperties?.taskProperties?.[0]?.containers?.find(({ name }) => name === "worker");
  if (worker?.image === undefined) throw notAsDeployed(base, "a container `worker`");
  return worker.image;
}

/** The platform of its tasks, as Docker writes it. */
export function platformOf(base: JobDefinition): string {
  const architecture = base.ecsProperties?.taskProperties?.[0]?.runtimePlatform?.cpuArchitecture;
  return architecture === "ARM64" ? "linux/arm64" : "linux/amd64";
}

function notAsDeployed({ jobDefinitionName = "?" }: JobDefinition, lacks: string): TracemillError {
  return new TracemillError(
    "invalid-input",
    `job definition ${jobDefinitionName} lacks ${lacks}; deploy the stage again (\`npx sst deploy --stage NAME\`)`,
  );
}
