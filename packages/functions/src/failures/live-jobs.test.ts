import type { JobDetail } from "@tracemill/aws/control/jobs.ts";
import { expect, test } from "vitest";
import { gather } from "../../../../test/fakes/gather.ts";
import { batchLiveJobs } from "./live-jobs.ts";

test("jobs come with the execution that started them, described a hundred at a time", async () => {
  const asked: number[] = [];
  const jobs = batchLiveJobs({
    list: async function* ({ namePrefix }) {
      for (let number = 0; number < 250; number += 1)
        yield { jobId: `job-${number}`, jobName: `${namePrefix}${number}`, status: "RUNNING" };
    },
    describe: async function* (jobIds) {
      asked.push(jobIds.length);
      for (const jobId of jobIds)
        yield { jobId, parameters: { execution: `of ${jobId}` } } as unknown as JobDetail;
    },
    terminate: async () => undefined,
  });
  const live = await gather(jobs.live({ queue: "q", namePrefix: "tm-run_1-" }));
  expect(asked).toEqual([100, 100, 50]);
  expect(live).toHaveLength(250);
  expect(live[249]).toEqual({ jobId: "job-249", execution: "of job-249" });
});
