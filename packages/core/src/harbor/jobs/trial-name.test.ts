import { expect, test } from "vitest";
import { trialName, uuidOf } from "./trial-name.ts";

test.each([
  ["org/sort-words", /^sort-words__[2-9A-HJ-NP-Za-km-z]{7}$/],
  ["a-name-that-is-longer-than-thirty--two-characters", /^a-name-that-is-longer-than-thirt__\w{7}$/],
  ["ends-with-a-dash-at-32-characters-x", /^ends-with-a-dash-at-32-character__\w{7}$/],
  ["Fill in the form: ../../etc?", /^etc-__\w{7}$|^etc__\w{7}$/],
  ["..", /^task__\w{7}$/],
  ["", /^task__\w{7}$/],
])("a trial of %j has a name by Harbor's rule that is a safe folder name", (task, pattern) => {
  expect(trialName(task, "trl_1")).toMatch(pattern);
});

test("the same trial has the same name and id, another trial has others", () => {
  expect(trialName("t", "trl_1")).toBe(trialName("t", "trl_1"));
  expect(trialName("t", "trl_1")).not.toBe(trialName("t", "trl_2"));
  expect(trialName("t", "trl_1", 14).startsWith(trialName("t", "trl_1"))).toBe(true);
  expect(uuidOf("job", "a")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidOf("job", "a")).not.toBe(uuidOf("trial", "a"));
});
