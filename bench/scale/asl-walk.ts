/**
 * Walks a state machine of the Amazon States Language in simulated time, and counts what Step Functions counts:
 * state transitions, history events, bytes of payloads, child executions at once. A state, a field or an
 * expression that it does not know ends the walk with an error.
 */
import type {
  Catcher,
  MapState,
  PassState,
  State,
  StateMachine,
  TaskState,
} from "../../infra/asl/language.ts";
import { filled, valueAt, withResult } from "./asl-paths.ts";
import { assertKnown, chosen, type Frame, failureOf, matches, nextTry } from "./asl-states.ts";
import type { EventLoop } from "./event-loop.ts";
import { Level, Rate } from "./rates.ts";
import type { TokenBucket } from "./token-bucket.ts";

export interface TaskCall {
  /** The end of the resource's ARN: `lambda:invoke`, `batch:submitJob.sync`. */
  api: string;
  parameters: Record<string, unknown>;
}

export type Outcome = { output: unknown } | { error: string; cause: string };

export interface WalkWorld {
  loop: EventLoop;
  /** For the jitter of retries. */
  random: () => number;
  /** The service's own limit on state transitions. */
  transitionBucket: TokenBucket;
  /** Does a task and says how it ended. */
  task(call: TaskCall, done: (outcome: Outcome) => void): void;
  /** The items of a list in the bucket. */
  items(list: Record<string, unknown>): Iterator<unknown>;
}

/** What was counted over all executions of a walk. */
export class WalkCounts {
  readonly transitions = new Rate();
  readonly children = new Level();
  executions = 0;
  retries = 0;
  /** By state name: how often it was entered. */
  readonly entered = new Map<string, number>();
  mostEvents = 0;
  largestPayload = 0;
}

/** Seconds that Step Functions takes from one state to the next. */
const stepSeconds = 0.05;

/** History events of a task's try: scheduled, started, (submitted,) ended. */
const eventsOfTry = { "lambda:invoke": 3, "batch:submitJob.sync": 4 } as const;

export class Walk {
  readonly counts = new WalkCounts();
  readonly #world: WalkWorld;

  constructor(world: WalkWorld) {
    this.#world = world;
  }

  /** Starts an execution; `ended` hears how it ended. */
  start(
    machine: Pick<StateMachine, "StartAt" | "States">,
    input: unknown,
    ended: (outcome: Outcome) => void,
  ): void {
    this.counts.executions += 1;
    const execution = new Execution(machine, this.#world, this.counts, this, ended);
    execution.begin(input);
  }
}

class Execution {
  readonly #machine: Pick<StateMachine, "StartAt" | "States">;
  readonly #world: WalkWorld;
  readonly #counts: WalkCounts;
  readonly #walk: Walk;
  readonly #ended: (outcome: Outcome) => void;
  #events = 2;

  constructor(
    machine: Pick<StateMachine, "StartAt" | "States">,
    world: WalkWorld,
    counts: WalkCounts,
    walk: Walk,
    ended: (outcome: Outcome) => void,
  ) {
    this.#machine = machine;
    this.#world = world;
    this.#counts = counts;
    this.#walk = walk;
    this.#ended = ended;
  }

  begin(input: unknown): void {
    const first = { name: this.#machine.StartAt, input, variables: {}, tries: [] };
    // Whether a start is billed as a transition AWS's page leaves open: counted, to be on the safe side.
    this.#transition(() => this.#transition(() => this.#enter(first)));
  }

  #transition(then: () => void): void {
    const { loop, transitionBucket } = this.#world;
    loop.at(transitionBucket.reserve(loop.now) + stepSeconds, () => {
      this.#counts.transitions.add(loop.now);
      then();
    });
  }

  #go(name: string, input: unknown, variables: Record<string, unknown>): void {
    this.#transition(() => this.#enter({ name, input, variables, tries: [] }));
  }

  #enter(frame: Frame): void {
    const state = this.#machine.States[frame.name];
    if (state === undefined) throw new Error(`no state is called ${frame.name}`);
    assertKnown(frame.name, state);
    this.#counts.entered.set(frame.name, (this.#counts.entered.get(frame.name) ?? 0) + 1);
    this.#events += 2;
    this.#weigh(frame.input);
    this.#run(state, frame);
  }

  #run(state: State, frame: Frame): void {
    switch (state.Type) {
      case "Task":
        this.#task(state, frame);
        break;
      case "Map":
        this.#map(state, frame);
        break;
      case "Choice":
        this.#go(chosen(state, frame), frame.input, frame.variables);
        break;
      case "Pass":
        this.#leave(state, withResult(frame.input, state.ResultPath, filled(state.Result, frame)), frame);
        break;
      case "Succeed":
        this.#end({ output: frame.input });
        break;
      case "Fail":
        this.#end(failureOf(state, frame));
    }
  }

  #task(state: TaskState, frame: Frame): void {
    const api = state.Resource.split(":::")[1] ?? "";
    if (api !== "lambda:invoke" && api !== "batch:submitJob.sync")
      throw new Error(`${state.Resource}: a resource that the walker does not know`);
    const parameters = filled(state.Parameters, frame) as Record<string, unknown>;
    this.#weigh(parameters);
    this.#events += eventsOfTry[api];
    this.#world.task({ api, parameters }, (outcome) => {
      if ("error" in outcome) {
        this.#failed(state, frame, outcome);
        return;
      }
      this.#weigh(outcome.output);
      const scope = { input: outcome.output, variables: frame.variables };
      const result =
        state.ResultSelector === undefined ? outcome.output : filled(state.ResultSelector, scope);
      this.#leave(state, withResult(frame.input, state.ResultPath, result), frame);
    });
  }

  #map(state: MapState, frame: Frame): void {
    this.#events += 4;
    const limit = Number(valueAt(state.MaxConcurrencyPath, frame));
    const items = this.#world.items(filled(state.ItemReader.Parameters, frame) as Record<string, unknown>);
    let running = 0;
    let failures = 0;
    let isOver = false;
    const finish = (outcome: Outcome): void => {
      isOver = true;
      if ("error" in outcome) this.#failed(state, frame, outcome);
      else this.#leave(state, withResult(frame.input, state.ResultPath, outcome.output), frame);
    };
    const fill = (): void => {
      while (running < limit && !isOver) {
        const next = items.next();
        if (next.done === true) break;
        running += 1;
        this.#counts.children.change(1);
        this.#weigh(next.value);
        this.#walk.start(state.ItemProcessor, next.value, itemEnded);
      }
      if (running === 0 && !isOver) finish({ output: {} });
    };
    const itemEnded = (outcome: Outcome): void => {
      running -= 1;
      this.#counts.children.change(-1);
      if ("error" in outcome) failures += 1;
      if (failures > state.ToleratedFailureCount && !isOver) {
        finish({ error: "States.ExceedToleratedFailureThreshold", cause: `${failures} items failed` });
      } else fill();
    };
    fill();
  }

  /** A try that failed: again by the state's retriers, else on to what catches it. */
  #failed(state: TaskState | MapState, frame: Frame, failure: { error: string; cause: string }): void {
    const again = nextTry(state.Retry, frame, failure.error, this.#world.random);
    if (again !== undefined) {
      this.#counts.retries += 1;
      this.#world.loop.after(again, () => this.#transition(() => this.#run(state, frame)));
      return;
    }
    const catcher = state.Catch?.find(({ ErrorEquals }) => matches(ErrorEquals, failure.error));
    if (catcher === undefined) this.#end(failure);
    else this.#caught(catcher, frame, failure);
  }

  #caught(catcher: Catcher, frame: Frame, { error, cause }: { error: string; cause: string }): void {
    const input = withResult(frame.input, catcher.ResultPath, { Error: error, Cause: cause });
    const assigned = filled(catcher.Assign ?? {}, frame) as Record<string, unknown>;
    this.#go(catcher.Next, input, { ...frame.variables, ...assigned });
  }

  #leave(state: TaskState | MapState | PassState, output: unknown, frame: Frame): void {
    if ("Next" in state) this.#go(state.Next, output, frame.variables);
    else this.#end({ output });
  }

  #end(outcome: Outcome): void {
    this.#counts.mostEvents = Math.max(this.#counts.mostEvents, this.#events);
    this.#ended(outcome);
  }

  #weigh(payload: unknown): void {
    const bytes = Buffer.byteLength(JSON.stringify(payload) ?? "");
    this.#counts.largestPayload = Math.max(this.#counts.largestPayload, bytes);
  }
}
