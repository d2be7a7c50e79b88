import { GetParameterCommand, type SSMClient } from "@aws-sdk/client-ssm";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";
import { isAwsError } from "../errors.ts";
import { StackInfo, stackParameter } from "../stack.ts";
import { callService } from "./service-call.ts";

const Versioned = z.looseObject({ schemaVersion: z.number() });

/** The newest that this program knows. */
const knownVersion = StackInfo.shape.schemaVersion.value;

/**
 * What a deployed stage tells its users.
 * @throws TracemillError `not-found` when the stage is not deployed in this account and region, `unauthorized`,
 * `store-newer` when a newer version of this program deployed it, `storage-corrupt`, `storage-failed`.
 */
export async function readStack(ssm: SSMClient, stage: string): Promise<StackInfo> {
  const name = stackParameter(stage);
  const call = {
    doing: `reading parameter ${name}`,
    action: "ssm:GetParameter",
    expects: ["ParameterNotFound"],
  };
  let text: string;
  try {
    const answer = await callService(call, () => ssm.send(new GetParameterCommand({ Name: name })));
    text = answer.Parameter?.Value ?? "";
  } catch (error) {
    if (!isAwsError(error, "ParameterNotFound")) throw error;
    const region = await ssm.config.region();
    throw new TracemillError(
      "not-found",
      `stage ${stage} is not deployed in ${region}; deploy it (\`npx sst deploy --stage ${stage}\`), or name another \`--stage\` or \`--region\``,
      { cause: error },
    );
  }
  return parseStack(text, name, stage);
}

function parseStack(text: string, name: string, stage: string): StackInfo {
  const again = `deploy it again (\`npx sst deploy --stage ${stage}\`)`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `parameter ${name}: not whole JSON (${messageOf(error)}); ${again}`;
    throw new TracemillError("storage-corrupt", message, { cause: error });
  }
  const versioned = Versioned.safeParse(value);
  if (versioned.success && versioned.data.schemaVersion > knownVersion) {
    throw new TracemillError(
      "store-newer",
      `stage ${stage} was deployed by a newer version of Tracemill (stack version ${versioned.data.schemaVersion}, this one knows ${knownVersion}): update it (\`git pull && npm ci\`)`,
    );
  }
  return parseAs(StackInfo, value, `parameter ${name} (${again})`, "storage-corrupt");
}
