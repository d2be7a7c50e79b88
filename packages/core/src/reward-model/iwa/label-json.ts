import { PythonFloat, pythonJson } from "../../atif/python-json.ts";
import type { SemanticLabel } from "../labels/label.ts";

/** A label as Python's `json.dumps(label, ensure_ascii=False)` writes it. */
export function labelJson(label: SemanticLabel): string {
  const { goal_progress, confidence } = label;
  return pythonJson({
    ...label,
    goal_progress: new PythonFloat(goal_progress),
    confidence: new PythonFloat(confidence),
  });
}
