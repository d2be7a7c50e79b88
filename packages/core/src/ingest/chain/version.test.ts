import { describe, expect, test } from "vitest";
import { parseExact } from "../json.ts";
import { coversSolutions, disagree, isoTime, isVersioned, latestTime, solutionCount } from "./version.ts";

const at = Date.parse("2026-01-31T08:00:00Z");
const entry = (text: string) => parseExact(text) as Record<string, unknown>;

describe("a list entry", () => {
  test.each([
    ['{"updated_at": "2026-01-31T08:00:00Z"}', true, false],
    ['{"updatedAt": 1769846400}', true, false],
    ['{"lastActivityAt": "2026-01-31T08:00:00Z", "solutionsCount": 0}', true, true],
    ['{"modified_at": "x", "last_solution_at": "2026-01-31"}', true, true],
    ['{"updated_at": null, "solutions_count": 3}', false, true],
    ['{"created_at": "2026-01-31", "solutions": []}', false, false],
  ])("%s: versioned %s, covers its solutions %s", (text, versioned, covers) => {
    expect([isVersioned(entry(text)), coversSolutions(entry(text))]).toEqual([versioned, covers]);
  });

  test("counts its solutions, exact numbers included", () => {
    expect(solutionCount(entry('{"num_solutions": 3.0}'))).toBe(3);
    expect(solutionCount(entry('{"num_solutions": "3"}'))).toBeUndefined();
  });

  test.each([
    ['{"updated_at": "2026-01-31T08:00:00Z"}', at],
    ['{"updated_at": "2026-01-31 08:00:00"}', at],
    ['{"updated_at": "2026-01-31T09:00:00+01:00"}', at],
    ['{"updated_at": 1769846400}', at],
    ['{"updated_at": 1769846400000}', at],
    ['{"updated_at": "2026-01-01", "solutions_updated_at": "2026-01-31T08:00:00.000Z"}', at],
    ['{"updated_at": "yesterday"}', undefined],
    ['{"id": 1}', undefined],
  ])("%s changed last at %s", (text, time) => {
    expect(latestTime(entry(text))).toBe(time);
  });

  test("disagrees with details that name another version, not with those that name none", () => {
    const one = entry('{"updated_at": "2026-01-31", "solutions_count": 1}');
    expect(disagree(one, entry('{"updated_at": "2026-02-01"}'))).toBe(true);
    expect(disagree(one, entry('{"solutions_count": 2}'))).toBe(true);
    expect(disagree(one, entry('{"updated_at": "2026-01-31", "title": "x"}'))).toBe(false);
    expect(disagree(one, entry('{"title": "x"}'))).toBe(false);
  });
});

test.each(["31.01.2026", "2026-13-01", "soon", ""])("%j is no time", (text) => {
  expect(isoTime(text)).toBeUndefined();
});
