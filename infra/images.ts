import { ArnFormat, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Repository, TagMutability, TagStatus } from "aws-cdk-lib/aws-ecr";
import { DockerImageAsset, Platform } from "aws-cdk-lib/aws-ecr-assets";
import type { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { allow, withoutResource } from "./permissions.ts";
import { nameOf, type Stage } from "./stage-file.ts";

/** An image that jobs run, and what its pulling needs. */
export interface PulledImage {
  uri: string;
  pull: readonly PolicyStatement[];
}

export type ImageCpu = "amd64" | "arm64";

/** What Fargate jobs run on. */
export function containerCpu({ settings }: Stage): ImageCpu {
  return settings.compute.container.arm ? "arm64" : "amd64";
}

/** What jobs on instances without a GPU run on. */
export function hostCpu({ settings }: Stage): ImageCpu {
  return settings.compute.host.arm ? "arm64" : "amd64";
}

export interface Images {
  /** Images of tasks' environments, tagged `env-<hash>`. */
  tasks: Repository;
  worker(cpu: ImageCpu): PulledImage;
  gpuWorker(): PulledImage;
}

export function images(scope: Construct, stage: Stage): Images {
  const built = new Map<string, PulledImage>();
  const once = (key: string, make: () => PulledImage): PulledImage => {
    const image = built.get(key) ?? make();
    built.set(key, image);
    return image;
  };
  const { workerImage, compute } = stage.settings;
  return {
    tasks: taskRepository(scope, stage),
    worker: (cpu) =>
      once(cpu, () =>
        workerImage === undefined
          ? buildImage(scope, stage, { cpu, file: "packages/jobs/Dockerfile" })
          : namedImage(scope, workerImage),
      ),
    gpuWorker: () =>
      once("gpu", () =>
        compute.gpu.image === undefined
          ? buildImage(scope, stage, { cpu: "amd64", file: "packages/jobs/gpu.Dockerfile" })
          : namedImage(scope, compute.gpu.image),
      ),
  };
}

function taskRepository(scope: Construct, stage: Stage): Repository {
  return new Repository(scope, "TaskImages", {
    repositoryName: `${nameOf(stage)}/tasks`,
    imageScanOnPush: true,
    // A tag is the hash of what is in it.
    imageTagMutability: TagMutability.IMMUTABLE,
    lifecycleRules: [
      { rulePriority: 1, tagStatus: TagStatus.UNTAGGED, maxImageAge: Duration.days(7) },
      {
        rulePriority: 2,
        tagStatus: TagStatus.ANY,
        maxImageAge: Duration.days(stage.settings.expireImagesAfterDays),
      },
    ],
    emptyOnDelete: !stage.retain,
    removalPolicy: stage.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
}

/** Built by Docker when the stage is deployed; synthesis only hashes the sources (less `.dockerignore`). */
function buildImage(scope: Construct, { root }: Stage, image: { cpu: ImageCpu; file: string }) {
  const { cpu, file } = image;
  const asset = new DockerImageAsset(scope, file.includes("gpu") ? "GpuWorkerImage" : `WorkerImage-${cpu}`, {
    directory: root,
    file,
    platform: cpu === "arm64" ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
  });
  return { uri: asset.imageUri, pull: pullFrom([asset.repository.repositoryArn]) };
}

/** @param uri of this or another account's ECR, or of a public registry, which needs no permission. */
function namedImage(scope: Construct, uri: string): PulledImage {
  const [, account, region, name] =
    /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)/.exec(uri) ?? [];
  if (account === undefined || region === undefined || name === undefined) return { uri, pull: [] };
  const format = { account, region, service: "ecr", resource: "repository", resourceName: name };
  return {
    uri,
    pull: pullFrom([Stack.of(scope).formatArn({ ...format, arnFormat: ArnFormat.SLASH_RESOURCE_NAME })]),
  };
}

/** What an ECS agent does to pull an image. */
export function pullFrom(repositoryArns: readonly string[]): PolicyStatement[] {
  const actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
  return [allow(actions, repositoryArns), withoutResource(["ecr:GetAuthorizationToken"])];
}
