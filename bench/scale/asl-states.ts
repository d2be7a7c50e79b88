/** What single states of the Amazon States Language say, as far as the pipeline uses them. */
import type { ChoiceState, FailState, Retrier, State, Test } from "../../infra/asl/language.ts";
import { valueAt } from "./asl-paths.ts";

/** A state that is being run. */
export interface Frame {
  name: string;
  input: unknown;
  variables: Record<string, unknown>;
  /** Tries of each retrier of the state so far. */
  tries: number[];
}

const common = ["Type", "Comment", "Next", "End"];
const knownFields: Record<State["Type"], readonly string[]> = {
  Task: [
    ...common,
    "Resource",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "TimeoutSeconds",
    "Retry",
    "Catch",
  ],
  Map: [
    ...common,
    ...["Label", "ItemReader", "MaxConcurrencyPath", "ToleratedFailureCount", "ItemProcessor"],
    ...["ResultWriter", "ResultPath", "Retry", "Catch"],
  ],
  Choice: ["Type", "Comment", "Choices", "Default"],
  Pass: [...common, "Result", "ResultPath"],
  Succeed: ["Type", "Comment"],
  Fail: ["Type", "Comment", "Error", "Cause", "ErrorPath", "CausePath"],
};

/** @throws Error for a type or a field that the walker does not know. */
export function assertKnown(name: string, state: State): void {
  const known = knownFields[state.Type];
  if (known === undefined)
    throw new Error(`${name}: a state of type ${state.Type} is not known to the walker`);
  const strange = Object.keys(state).find((field) => !known.includes(field));
  if (strange !== undefined) throw new Error(`${name}: the walker does not know the field ${strange}`);
}

export function chosen(state: ChoiceState, frame: Frame): string {
  return state.Choices.find((choice) => holds(choice, frame))?.Next ?? state.Default;
}

function holds(test: Test, frame: Frame): boolean {
  if ("And" in test) return test.And.every((inner) => holds(inner, frame));
  const value = valueAt(test.Variable, frame);
  if ("BooleanEquals" in test) return value === test.BooleanEquals;
  if ("StringEquals" in test) return value === test.StringEquals;
  throw new Error(`a comparison that the walker does not know: ${JSON.stringify(test)}`);
}

export function failureOf(state: FailState, frame: Frame): { error: string; cause: string } {
  const error = "Error" in state ? state.Error : valueAt(state.ErrorPath, frame);
  const cause = "Cause" in state ? state.Cause : valueAt(state.CausePath, frame);
  return { error: String(error), cause: String(cause) };
}

/** Seconds until the next try, with full jitter; `undefined` when none is granted. */
export function nextTry(
  retriers: readonly Retrier[],
  { tries }: Frame,
  error: string,
  random: () => number,
): number | undefined {
  const index = retriers.findIndex(({ ErrorEquals }) => matches(ErrorEquals, error));
  const retrier = retriers[index];
  const done = tries[index] ?? 0;
  if (retrier === undefined || done >= retrier.MaxAttempts) return undefined;
  tries[index] = done + 1;
  return Math.min(retrier.MaxDelaySeconds, retrier.IntervalSeconds * retrier.BackoffRate ** done) * random();
}

export function matches(wanted: readonly string[], error: string): boolean {
  return wanted.includes(error) || wanted.includes("States.ALL");
}
