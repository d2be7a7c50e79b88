/**
 * The part of the Amazon States Language that the pipeline uses (JSONPath). Source:
 * https://states-language.net and the Step Functions developer guide.
 */

/** Values and JSONPath templates: a key that ends in `.$` holds a path or an intrinsic function. */
export type Template = string | number | boolean | null | readonly Template[] | { [key: string]: Template };

export interface Retrier {
  ErrorEquals: readonly string[];
  IntervalSeconds: number;
  MaxAttempts: number;
  BackoffRate: number;
  MaxDelaySeconds: number;
  JitterStrategy: "FULL";
}

export interface Catcher {
  ErrorEquals: readonly string[];
  ResultPath: string | null;
  /** Variables, read as `$name`. */
  Assign?: Record<string, Template>;
  Next: string;
}

export type Transition = { Next: string } | { End: true };

export type TaskState = {
  Type: "Task";
  Comment?: string;
  Resource: string;
  Parameters: Record<string, Template>;
  ResultSelector?: Record<string, Template>;
  /** `null` drops the result and passes the input on. */
  ResultPath: string | null;
  TimeoutSeconds?: number;
  Retry: readonly Retrier[];
  Catch?: readonly Catcher[];
} & Transition;

export type MapState = {
  Type: "Map";
  Comment?: string;
  /** Names the map's runs; at most 40 characters. */
  Label: string;
  ItemReader: {
    Resource: string;
    ReaderConfig: { InputType: "JSON" };
    Parameters: Record<string, Template>;
  };
  MaxConcurrencyPath: string;
  ToleratedFailureCount: number;
  ItemProcessor: {
    ProcessorConfig: { Mode: "DISTRIBUTED"; ExecutionType: "STANDARD" };
    StartAt: string;
    States: States;
  };
  ResultWriter: { Resource: string; Parameters: Record<string, Template> };
  ResultPath: null;
  Retry: readonly Retrier[];
  Catch: readonly Catcher[];
} & Transition;

/** One comparison of a value in the state's input. */
export type Test =
  | { Variable: string; StringEquals: string }
  | { Variable: string; BooleanEquals: boolean }
  | { And: readonly Test[] };

export interface ChoiceState {
  Type: "Choice";
  Comment?: string;
  Choices: readonly (Test & { Next: string })[];
  Default: string;
}

export type PassState = { Type: "Pass"; Comment?: string; Result: Template; ResultPath: string } & Transition;
export interface SucceedState {
  Type: "Succeed";
}
export type FailState = { Type: "Fail"; Comment?: string } & (
  | { Error: string; Cause: string }
  | { Error: string; CausePath: string }
  | { ErrorPath: string; CausePath: string }
);

export type State = TaskState | MapState | ChoiceState | PassState | SucceedState | FailState;
export type States = { [name: string]: State };

export interface StateMachine {
  Comment?: string;
  StartAt: string;
  States: States;
}
