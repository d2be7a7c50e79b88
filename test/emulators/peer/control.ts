/** A fault of a service; see faults.py. */
export interface ServiceFault {
  service: string;
  /** Glob of the operation (`PutItem`), or of `METHOD /path` for S3. */
  action?: string;
  calls: number;
  /** Only each nth call that matches. */
  every?: number;
  answer?: "throttled" | "slow-down" | "internal";
  /** The request is carried out, and only its answer lost. */
  done?: boolean;
  delayMs?: number;
}

/** What befalls a job's next attempts; see job_faults.py. */
export interface JobFault {
  /** Glob of job names. */
  name: string;
  times?: number;
  /** The host is taken away, so long after the start. */
  statusReason?: string;
  afterMs?: number;
  /** The container ends so, having done nothing. */
  exitCode?: number;
  reason?: string;
}

/** As DescribeJobs gives it. */
export interface PeerJob {
  jobId: string;
  jobName: string;
  jobQueue: string;
  status: string;
  statusReason?: string;
  createdAt: number;
  tags: Record<string, string>;
  parameters: Record<string, string>;
  attempts: {
    statusReason: string;
    container: { exitCode?: number; reason?: string; logStreamName?: string };
  }[];
  container: { exitCode?: number; reason?: string; logStreamName?: string; command: string[] };
}

export interface PeerInvocation {
  function: string;
  event: unknown;
  result?: unknown;
  error?: { errorType: string; errorMessage: string };
  ms: number;
  logs: string;
}

export interface InventoryEntry {
  id: string;
  type: string;
  name: string;
  there?: boolean;
  why?: string;
}

export type Control = ReturnType<typeof peerControl>;

/** Orders faults of a peer, and looks at what happened in it. */
export function peerControl(endpoint: string) {
  const ask = async <T>(path: string, body: object = {}): Promise<T> => {
    const response = await fetch(`${endpoint}/_peer/${path}`, { method: "POST", body: JSON.stringify(body) });
    const said = (await response.json()) as T;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(said)}`);
    return said;
  };
  return {
    serviceFault: (fault: ServiceFault) => ask<object>("faults", fault),
    /** Calls that met a fault so far. */
    faultHits: () => ask<number>("faults/hits"),
    jobFault: (fault: JobFault) => ask<object>("jobs/faults", fault),
    /** Takes the host of jobs that run now; gives their names. */
    killJobs: (name: string, statusReason: string) => ask<string[]>("jobs/kill", { name, statusReason }),
    jobs: () => ask<PeerJob[]>("jobs"),
    invocations: () => ask<PeerInvocation[]>("functions/invocations"),
    /** `lost-answer`: the function runs to its end and its caller sees a failure of Lambda. */
    functionFault: (order: { function: string; times: number; kind: "lost-answer" | "throttle" }) =>
      ask<object>("functions/orders", order),
    /** Functions of this glob have so many seconds, whatever they were deployed with. */
    functionTimeout: (name: string, seconds: number) =>
      ask<object>("functions/timeouts", { function: name, seconds }),
    /** One firing of a schedule; `input` is merged into what it was deployed with. */
    fireSchedule: (name: string, input: object) =>
      ask<object>("schedules/fire", { name, input, region: "us-east-1" }),
    /** Each resource of a stack, and whether its service has it; `there` is absent where no API shows the type. */
    inventory: (stack: string) => ask<InventoryEntry[]>("inventory", { stack, region: "us-east-1" }),
    clearFaults: () => ask<object>("faults/clear"),
    /** The end of the emulator's own log: read it when it misbehaves. */
    log: () => ask<string>("log"),
    shutdown: () => ask<object>("shutdown"),
  };
}
