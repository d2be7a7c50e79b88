import { type BatchClient, type JobDefinition, paginateDescribeJobDefinitions } from "@aws-sdk/client-batch";
import { pagesOf } from "./service-call.ts";

export type { JobDefinition, RegisterJobDefinitionCommandInput } from "@aws-sdk/client-batch";

/** Job definitions as they were registered. */
export interface JobDefinitions {
  /**
   * The newest active revision; `undefined` when there is none.
   * @throws TracemillError `unauthorized`, `storage-failed`.
   */
  newest(name: string): Promise<JobDefinition | undefined>;
}

export function jobDefinitions(client: BatchClient): JobDefinitions {
  return {
    newest: async (jobDefinitionName) => {
      const call = {
        doing: `looking up the job definition ${jobDefinitionName}`,
        action: "batch:DescribeJobDefinitions",
      };
      const pages = paginateDescribeJobDefinitions({ client }, { jobDefinitionName, status: "ACTIVE" });
      let newest: JobDefinition | undefined;
      for await (const page of pagesOf(call, pages)) {
        for (const each of page.jobDefinitions ?? [])
          if ((each.revision ?? 0) > (newest?.revision ?? -1)) newest = each;
      }
      return newest;
    },
  };
}
