import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  type HistoryEvent,
  paginateGetExecutionHistory,
  paginateListExecutions,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { TracemillError } from "@tracemill/core/errors.ts";
import { canonicalJson } from "@tracemill/core/run/spec.ts";
import { isAwsError } from "../errors.ts";
import { executionArn } from "./execution-arn.ts";
import { callService, pagesOf } from "./service-call.ts";

export type ExecutionStatus =
  | "RUNNING"
  | "SUCCEEDED"
  | "FAILED"
  | "TIMED_OUT"
  | "ABORTED"
  | "PENDING_REDRIVE";

export interface ExecutionSummary {
  arn: string;
  name: string;
  status: ExecutionStatus;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Absent while it runs. */
  stoppedAt?: number;
}

export interface Execution extends ExecutionSummary {
  /** What it was started with. */
  input?: unknown;
  /** Why it failed or was stopped. */
  error?: string;
  cause?: string;
}

/** The executions of state machines. */
export interface Executions {
  /**
   * Starts an execution, once: the same name with the same input again finds the first one, running or ended.
   * @returns its ARN.
   * @throws TracemillError `conflict` when the name was used with another input, `invalid-input` beyond 256 KiB,
   * `not-found` when there is no such state machine, `unauthorized`, `storage-failed`.
   */
  start(request: { stateMachineArn: string; name: string; input: unknown }): Promise<string>;
  /** Stops it, its children and their jobs. Silent when it has ended, or was never there. */
  stop(arn: string, options: { cause: string; error?: string }): Promise<void>;
  /** `undefined` when there is none of that name (AWS forgets them 90 days after their end). */
  describe(arn: string): Promise<Execution | undefined>;
  /** Newest first. @throws TracemillError `not-found` when there is no such state machine. */
  list(stateMachineArn: string, options?: { status?: ExecutionStatus }): AsyncIterable<ExecutionSummary>;
  /** What happened in it, oldest first unless `newestFirst`. Empty when there is none of that name. */
  history(arn: string, options?: { newestFirst?: boolean; withData?: boolean }): AsyncIterable<HistoryEvent>;
}

/** Step Functions' limit for an execution's input, in UTF-8 bytes. */
export const maxInputBytes = 262_144;

const pageSize = 1_000;

const noExecution = "ExecutionDoesNotExist";

export function sfnExecutions(client: SFNClient): Executions {
  return {
    start: (request) => start(request, client),
    stop: (arn, options) => stop(arn, options, client),
    describe: (arn) => describe(arn, client),
    list: (stateMachineArn, options = {}) => list(stateMachineArn, options, client),
    history: (arn, options = {}) => history(arn, options, client),
  };
}

async function start(
  { stateMachineArn, name, input }: { stateMachineArn: string; name: string; input: unknown },
  client: SFNClient,
): Promise<string> {
  const body = JSON.stringify(input);
  const bytes = Buffer.byteLength(body);
  if (bytes > maxInputBytes) {
    const message = `execution ${name}: its input has ${bytes} bytes; Step Functions takes ${maxInputBytes}`;
    throw new TracemillError("invalid-input", message);
  }
  const call = {
    doing: `starting the execution ${name}`,
    action: "states:StartExecution",
    expects: ["StateMachineDoesNotExist", "ExecutionAlreadyExists"],
  };
  try {
    await callService(call, () =>
      client.send(new StartExecutionCommand({ stateMachineArn, name, input: body })),
    );
    return executionArn(stateMachineArn, name);
  } catch (error) {
    if (isAwsError(error, "StateMachineDoesNotExist")) throw noStateMachine(stateMachineArn, error);
    if (!isAwsError(error, "ExecutionAlreadyExists")) throw error;
    return sameExecution(executionArn(stateMachineArn, name), input, client);
  }
}

/** AWS refuses a name whose execution has ended, whatever its input: what it was started with decides. */
async function sameExecution(arn: string, input: unknown, client: SFNClient): Promise<string> {
  const existing = await describe(arn, client);
  if (canonicalJson(existing?.input) === canonicalJson(input)) return arn;
  throw new TracemillError(
    "conflict",
    `execution ${nameIn(arn)} was started before with another input; \`tracemill resume RUN\` starts the next one`,
    { context: { arn, status: existing?.status } },
  );
}

function noStateMachine(stateMachineArn: string, cause: unknown): TracemillError {
  const message = `${stateMachineArn}: no such state machine; deploy the stage again (\`npx sst deploy --stage NAME\`)`;
  return new TracemillError("not-found", message, { cause });
}

async function stop(
  arn: string,
  { cause, error: code }: { cause: string; error?: string },
  client: SFNClient,
): Promise<void> {
  // AWS takes at most 256 and 32,768 characters.
  const command = new StopExecutionCommand({
    executionArn: arn,
    cause: cause.slice(0, 32_768),
    ...(code === undefined ? {} : { error: code.slice(0, 256) }),
  });
  try {
    const call = { doing: `stopping ${arn}`, action: "states:StopExecution", expects: [noExecution] };
    await callService(call, () => client.send(command));
  } catch (error) {
    if (!isAwsError(error, noExecution)) throw error;
  }
}

async function describe(arn: string, client: SFNClient): Promise<Execution | undefined> {
  const call = { doing: `describing ${arn}`, action: "states:DescribeExecution", expects: [noExecution] };
  try {
    const answer = await callService(call, () =>
      client.send(new DescribeExecutionCommand({ executionArn: arn })),
    );
    return executionOf(arn, answer);
  } catch (error) {
    if (isAwsError(error, noExecution)) return undefined;
    throw error;
  }
}

function executionOf(arn: string, answer: DescribeExecutionCommandOutput): Execution {
  const { name, status, startDate, stopDate, input, error, cause } = answer;
  return {
    arn,
    name: name ?? nameIn(arn),
    status: status ?? "RUNNING",
    startedAt: startDate?.getTime() ?? 0,
    ...(stopDate === undefined ? {} : { stoppedAt: stopDate.getTime() }),
    ...(input === undefined ? {} : { input: JSON.parse(input) as unknown }),
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
  };
}

/** The last part of an execution's ARN. */
function nameIn(arn: string): string {
  return arn.slice(arn.lastIndexOf(":") + 1);
}

async function* list(
  stateMachineArn: string,
  { status }: { status?: ExecutionStatus },
  client: SFNClient,
): AsyncGenerator<ExecutionSummary> {
  const call = {
    doing: `listing the executions of ${stateMachineArn}`,
    action: "states:ListExecutions",
    expects: ["StateMachineDoesNotExist"],
  };
  const request = { stateMachineArn, ...(status === undefined ? {} : { statusFilter: status }) };
  const pages = paginateListExecutions({ client, pageSize }, request);
  try {
    for await (const page of pagesOf(call, pages)) {
      for (const {
        executionArn: arn = "",
        name = "",
        status: state = "RUNNING",
        startDate,
        stopDate,
      } of page.executions ?? []) {
        const startedAt = startDate?.getTime() ?? 0;
        yield { arn, name, status: state, startedAt, ...(stopDate && { stoppedAt: stopDate.getTime() }) };
      }
    }
  } catch (error) {
    throw isAwsError(error, "StateMachineDoesNotExist") ? noStateMachine(stateMachineArn, error) : error;
  }
}

async function* history(
  arn: string,
  { newestFirst = false, withData = false }: { newestFirst?: boolean; withData?: boolean },
  client: SFNClient,
): AsyncGenerator<HistoryEvent> {
  const request = { executionArn: arn, reverseOrder: newestFirst, includeExecutionData: withData };
  const call = {
    doing: `reading the history of ${arn}`,
    action: "states:GetExecutionHistory",
    expects: [noExecution],
  };
  const pages = paginateGetExecutionHistory({ client, pageSize }, request);
  try {
    for await (const page of pagesOf(call, pages)) {
      yield* page.events ?? [];
    }
  } catch (error) {
    if (!isAwsError(error, noExecution)) throw error;
  }
}
