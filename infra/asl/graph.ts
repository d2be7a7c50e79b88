import type { ChoiceState, State, StateMachine, States, Test } from "./language.ts";

/** One way out of a state. */
export interface Edge {
  /** A state's name; `undefined` is the end of the machine, or of a map's item. */
  to: string | undefined;
  /** What has to hold; absent for the plain way on. */
  when?: string;
}

/** The ways out of a state, in the order in which they are looked at. */
export function edgesOf(state: State): Edge[] {
  if (state.Type === "Choice") return choiceEdges(state);
  if (state.Type === "Fail" || state.Type === "Succeed") return [{ to: undefined }];
  const on = "Next" in state ? { to: state.Next } : { to: undefined };
  const catches = "Catch" in state ? (state.Catch ?? []) : [];
  return [
    on,
    ...catches.map(({ ErrorEquals, Next }) => ({ to: Next, when: `on ${ErrorEquals.join(", ")}` })),
  ];
}

function choiceEdges({ Choices, Default }: ChoiceState): Edge[] {
  return [
    ...Choices.map((choice) => ({ to: choice.Next, when: `if ${wordsOf(choice)}` })),
    { to: Default, when: "else" },
  ];
}

function wordsOf(test: Test): string {
  if ("And" in test) return test.And.map(wordsOf).join(" and ");
  const name = test.Variable.slice(test.Variable.lastIndexOf(".") + 1);
  if ("BooleanEquals" in test) return test.BooleanEquals ? name : `not ${name}`;
  return `${name} is ${test.StringEquals}`;
}

/** The machine as text, for people and for snapshots: a block a state, its ways out below it. */
export function graphText(
  { StartAt, States }: Pick<StateMachine, "StartAt" | "States">,
  indent = "",
): string {
  const blocks = Object.entries(States).map(([name, state]) => stateText(name, state, indent));
  return [`${indent}start → ${StartAt}`, ...blocks].join("\n");
}

function stateText(name: string, state: State, indent: string): string {
  const head = `${indent}${name} (${kindOf(state)})`;
  const edges = edgesOf(state).map(
    ({ to, when }) => `${indent}  → ${to ?? "end"}${when === undefined ? "" : `  ${when}`}`,
  );
  const inner = state.Type === "Map" ? [graphText(state.ItemProcessor, `${indent}    `)] : [];
  return [head, ...inner, ...edges].join("\n");
}

function kindOf(state: State): string {
  if (state.Type === "Map") return "distributed map";
  if (state.Type !== "Task") return state.Type.toLowerCase();
  return state.Resource.endsWith("lambda:invoke") ? "function" : "job";
}

/** The machine as a Mermaid state diagram, without the ways to a recorded failure: those are all alike. */
export function graphMermaid({ StartAt, States }: Pick<StateMachine, "StartAt" | "States">): string {
  return ["stateDiagram-v2", ...mermaidStates(StartAt, States, "  ", new Ids())].join("\n");
}

/** Mermaid's ids have no spaces or marks. */
class Ids {
  readonly #byName = new Map<string, string>();
  of(name: string): string {
    const id = this.#byName.get(name) ?? `s${this.#byName.size + 1}`;
    this.#byName.set(name, id);
    return id;
  }
}

function mermaidStates(start: string, states: States, indent: string, ids: Ids): string[] {
  const lines = [`${indent}[*] --> ${ids.of(start)}`];
  for (const [name, state] of Object.entries(states)) {
    lines.push(`${indent}state "${name}" as ${ids.of(name)}`);
    if (state.Type === "Map") {
      const { StartAt, States } = state.ItemProcessor;
      lines.push(
        `${indent}state ${ids.of(name)} {`,
        ...mermaidStates(StartAt, States, `${indent}  `, ids),
        `${indent}}`,
      );
    }
    for (const { to, when } of edgesOf(state)) {
      if (when?.startsWith("on States.ALL") && to === "record failure") continue;
      const label = when === undefined ? "" : ` : ${when.replace(/^(if|on) /, "")}`;
      lines.push(`${indent}${ids.of(name)} --> ${to === undefined ? "[*]" : ids.of(to)}${label}`);
    }
  }
  return lines;
}
