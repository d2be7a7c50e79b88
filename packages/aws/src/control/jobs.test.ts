import { expect, test } from "vitest";
import { answering, awsFault } from "../../../../test/fakes/answering-client.ts";
import { batchClient } from "../clients/batch.ts";
import { batchJobs } from "./jobs.ts";

const options = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };

function jobsWith(answers: Parameters<typeof answering>[1]) {
  const { client, asked } = answering(batchClient(options), answers);
  return { jobs: batchJobs(client), asked };
}

test("live jobs are found in every status and page, each once, by the exact start of their name", async () => {
  const pages: Record<string, { jobSummaryList: object[]; nextToken?: string }> = {
    SUBMITTED: { jobSummaryList: [{ jobId: "1", jobName: "tm-run_A-x-trace", status: "SUBMITTED" }] },
    RUNNABLE: {
      jobSummaryList: [
        { jobId: "2", jobName: "tm-run_A-y-trace", status: "RUNNABLE" },
        { jobId: "3", jobName: "tm-run_a-y-trace", status: "RUNNABLE" },
      ],
      nextToken: "more",
    },
    more: { jobSummaryList: [{ jobId: "4", jobName: "tm-run_A-z-trace", status: "RUNNABLE" }] },
    // It moved on between two requests.
    RUNNING: { jobSummaryList: [{ jobId: "2", jobName: "tm-run_A-y-trace", status: "RUNNING" }] },
  };
  const { jobs, asked } = jobsWith({
    ListJobs: ({ jobStatus, nextToken }: { jobStatus: string; nextToken?: string }) =>
      pages[nextToken ?? jobStatus] ?? { jobSummaryList: [] },
  });
  const found = await Array.fromAsync(jobs.list({ queue: "q", namePrefix: "tm-run_A-" }));
  expect(found.map(({ jobId }) => jobId)).toEqual(["1", "2", "4"]);
  expect(asked.every(({ input }) => input.jobQueue === "q")).toBe(true);
});

test("ended jobs are asked for by name, with what their containers said", async () => {
  const { jobs, asked } = jobsWith({
    ListJobs: () => ({
      jobSummaryList: [
        {
          jobId: "1",
          jobName: "tm-run_A-x-trace",
          status: "FAILED",
          statusReason: "Essential container in task exited",
          container: { exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage" },
        },
      ],
    }),
  });
  const found = await Array.fromAsync(jobs.list({ queue: "q", namePrefix: "tm-run_A-", which: "all" }));
  expect(asked[0]?.input.filters).toEqual([{ name: "JOB_NAME", values: ["tm-run_A-*"] }]);
  expect(found).toEqual([
    {
      jobId: "1",
      jobName: "tm-run_A-x-trace",
      status: "FAILED",
      statusReason: "Essential container in task exited",
      exitCode: 137,
      containerReason: "OutOfMemoryError: Container killed due to memory usage",
    },
  ]);
});

test("250 jobs are described by 100; of a job of several containers the worker counts", async () => {
  const { jobs, asked } = jobsWith({
    DescribeJobs: ({ jobs: ids }: { jobs: string[] }) => ({
      jobs: ids.map((jobId) => ({
        jobId,
        jobName: "n",
        status: "FAILED",
        parameters: { execution: "run_A-1" },
        attempts: [
          {
            taskProperties: [
              {
                containers: [
                  { name: "box-0", exitCode: 0, logStreamName: "box" },
                  { name: "worker", exitCode: 75, logStreamName: "first" },
                ],
              },
            ],
          },
        ],
        ecsProperties: {
          taskProperties: [{ containers: [{ name: "worker", exitCode: 1, logStreamName: "last" }] }],
        },
      })),
    }),
  });
  const ids = Array.from({ length: 250 }, (_, index) => `job-${index}`);
  const found = await Array.fromAsync(jobs.describe(ids));
  expect(asked.map(({ input }) => (input.jobs as string[]).length)).toEqual([100, 100, 50]);
  expect(found).toHaveLength(250);
  expect(found[0]).toMatchObject({
    jobId: "job-0",
    exitCode: 1,
    logStream: "last",
    parameters: { execution: "run_A-1" },
    attempts: [{ exitCode: 75, logStream: "first" }],
  });
});

test("ending a job that Batch has forgotten is no error; a queue that is not there says what to do", async () => {
  const gone = (): never => {
    throw awsFault("ClientException", "Job queue q does not exist");
  };
  const { jobs } = jobsWith({ TerminateJob: gone, ListJobs: gone });
  await jobs.terminate("job-1", "why");
  await expect(Array.fromAsync(jobs.list({ queue: "q", namePrefix: "x" }))).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("npx sst deploy"),
  });
});

test("a refused call names the IAM action", async () => {
  const { jobs } = jobsWith({});
  await expect(jobs.terminate("job-1", "why")).rejects.toMatchObject({
    code: "unauthorized",
    message: expect.stringContaining("batch:TerminateJob"),
  });
});

test("few definitions are looked up by name, many by going through all", async () => {
  const known = Array.from({ length: 40 }, (_, index) => `tm-env_${index}`);
  const { jobs, asked } = jobsWith({
    DescribeJobDefinitions: ({ jobDefinitionName }: { jobDefinitionName?: string }) => ({
      jobDefinitions: known
        .filter((name) => jobDefinitionName === undefined || name === jobDefinitionName)
        .flatMap((name) => [
          { jobDefinitionName: name, revision: 2, tags: { a: "new" } },
          { jobDefinitionName: name, revision: 1, tags: { a: "old" } },
        ]),
    }),
  });
  const newest = { revision: 2, tags: { a: "new" } };
  expect(await jobs.definitions(["tm-env_1", "tm-env_99"])).toEqual(new Map([["tm-env_1", newest]]));
  expect(asked).toHaveLength(2);
  expect(await jobs.definitions([...known.slice(1), "tm-env_99"])).toEqual(
    new Map(known.slice(1).map((name) => [name, newest])),
  );
  expect(asked).toHaveLength(3);
});
