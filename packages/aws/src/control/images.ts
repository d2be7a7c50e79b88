import { BatchGetImageCommand, type ECRClient } from "@aws-sdk/client-ecr";
import { TracemillError } from "@tracemill/core/errors.ts";
import { isAwsError } from "../errors.ts";
import { callService } from "./service-call.ts";

/** Images in ECR. */
export interface Images {
  /**
   * Of these tags or digests (`sha256:…`), those that the repository has no image for, each once.
   * @param repository `<account>.dkr.ecr.<region>.amazonaws.com/<name>`, or a name in this account.
   * @throws TracemillError `not-found` when there is no such repository, `unauthorized`, `storage-failed`.
   */
  missing(repository: string, tags: readonly string[]): Promise<string[]>;
}

/** ECR's limit for one BatchGetImage. */
const batchSize = 100;

/**
 * The parts of an image's reference: `registry/name:tag` or `registry/name@sha256:…`. The tag is `latest` where
 * it names none.
 */
export function parseImage(reference: string): { repository: string; tag: string } {
  const [beforeDigest = "", digest] = reference.split("@", 2);
  const nameStart = beforeDigest.lastIndexOf("/") + 1;
  const colon = beforeDigest.indexOf(":", nameStart);
  const repository = colon === -1 ? beforeDigest : beforeDigest.slice(0, colon);
  return { repository, tag: digest ?? (colon === -1 ? "latest" : beforeDigest.slice(colon + 1)) };
}

/** The account and name of a repository in ECR; `undefined` for another registry's. */
export function ecrRepository(
  repository: string,
): { registryId?: string; repositoryName: string } | undefined {
  const [host = "", ...path] = repository.split("/");
  if (!/[.:]/.test(host)) return { repositoryName: repository };
  const [, registryId] = /^(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/.exec(host) ?? [];
  return registryId === undefined ? undefined : { registryId, repositoryName: path.join("/") };
}

export function ecrImages(client: ECRClient): Images {
  return {
    missing: async (repository, tags) => {
      const wanted = [...new Set(tags)];
      const place = ecrRepository(repository);
      if (place === undefined) {
        throw new TracemillError(
          "unsupported",
          `${repository} is no ECR repository; its images cannot be looked up`,
        );
      }
      const absent: string[] = [];
      for (let start = 0; start < wanted.length; start += batchSize) {
        absent.push(...(await absentOf(place, wanted.slice(start, start + batchSize), client)));
      }
      return absent;
    },
  };
}

async function absentOf(
  place: { registryId?: string; repositoryName: string },
  tags: readonly string[],
  client: ECRClient,
): Promise<string[]> {
  const imageIds = tags.map((tag) => (tag.startsWith("sha256:") ? { imageDigest: tag } : { imageTag: tag }));
  const call = {
    doing: `looking up images of ${place.repositoryName}`,
    action: "ecr:BatchGetImage",
    expects: ["RepositoryNotFoundException"],
  };
  try {
    const answer = await callService(call, () =>
      client.send(new BatchGetImageCommand({ ...place, imageIds })),
    );
    const there = new Set(
      (answer.images ?? []).flatMap(({ imageId }) => [imageId?.imageTag, imageId?.imageDigest]),
    );
    return tags.filter((tag) => !there.has(tag));
  } catch (error) {
    if (!isAwsError(error, "RepositoryNotFoundException")) throw error;
    const message = `${place.repositoryName}: no such ECR repository; deploy the stage again (\`npx sst deploy --stage NAME\`)`;
    throw new TracemillError("not-found", message, { cause: error });
  }
}
