import { type BatchClient, DescribeJobDefinitionsCommand, type JobDefinition } from "@aws-sdk/client-batch";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { StackInfo } from "../../stack.ts";
import { ecrRepository, type Images, parseImage } from "../images.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";
import type { QueueKind } from "./queues.ts";

/**
 * Whether the job definitions of a stage are there, and the images that they name. Images of `sandbox: job` are built
 * as runs need them; images outside of ECR are not looked up.
 */
export async function imageChecks(
  batch: BatchClient,
  images: Images,
  stack: StackInfo,
  kinds?: readonly QueueKind[],
): Promise<DoctorCheck[]> {
  const again = `deploy the stage again (\`npx sst deploy --stage ${stack.stage}\`)`;
  // Definitions of `sandbox` are one for each task image: the worker in them is the one of the others.
  const wanted = (Object.keys(stack.jobs) as QueueKind[]).filter(
    (kind) => kind !== "sandbox" && (kinds === undefined || kinds.includes(kind)),
  );
  const byDefinition = Map.groupBy(wanted, (kind) => stack.jobs[kind]?.definition ?? "");
  byDefinition.delete("");
  const checks = await Promise.all(
    [...byDefinition].map(([definition, users]) => {
      const name = `jobs of ${users.join(", ")}`;
      return checked(name, async (): Promise<DoctorCheck> => {
        const found = await describeDefinition(batch, definition);
        if (found === undefined)
          return { name, status: "missing", detail: `no job definition ${definition}`, remedy: again };
        const absent = await missingOf(imagesIn(found), images);
        if (absent.length === 0) return { name, status: "ok", detail: `${definition}, its image is there` };
        return { name, status: "missing", detail: `no image ${absent.join(", ")}`, remedy: again };
      });
    }),
  );
  return checks.flat();
}

/** @param definition a name, `name:revision`, or an ARN. */
async function describeDefinition(
  batch: BatchClient,
  definition: string,
): Promise<JobDefinition | undefined> {
  const call = {
    doing: `describing the job definition ${definition}`,
    action: "batch:DescribeJobDefinitions",
  };
  const isRevision = /:\d+$/.test(definition);
  const input = isRevision
    ? { jobDefinitions: [definition] }
    : { jobDefinitionName: definition.slice(definition.lastIndexOf("/") + 1), status: "ACTIVE" };
  const answer = await callService(call, () => batch.send(new DescribeJobDefinitionsCommand(input)));
  return answer.jobDefinitions?.find(({ status }) => status !== "INACTIVE");
}

function imagesIn({ containerProperties, ecsProperties }: JobDefinition): string[] {
  const containers = (ecsProperties?.taskProperties ?? []).flatMap((task) => task.containers ?? []);
  const images = [containerProperties?.image, ...containers.map(({ image }) => image)];
  return images.flatMap((image) => image ?? []);
}

async function missingOf(references: readonly string[], images: Images): Promise<string[]> {
  const absent: string[] = [];
  for (const reference of new Set(references)) {
    const { repository, tag } = parseImage(reference);
    if (ecrRepository(repository)?.registryId === undefined) continue;
    if ((await images.missing(repository, [tag])).length > 0) absent.push(reference);
  }
  return absent;
}
