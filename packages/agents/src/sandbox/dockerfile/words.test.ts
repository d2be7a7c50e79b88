import { expect, test } from "vitest";
import { expand, words } from "./words.ts";

const variables = { NAME: "world", EMPTY: "", "A B": "no" };

test.each([
  ["plain words", ["plain", "words"]],
  ['"two words" one', ["two words", "one"]],
  ["'$NAME' \"$NAME\" $NAME", ["$NAME", "world", "world"]],
  ['a\\ b \\$NAME "\\$NAME" "a\\nb"', ["a b", "$NAME", "$NAME", "a\\nb"]],
  ["pre${NAME}post $NAMELESS/x", ["preworldpost", "/x"]],
  ["${NONE:-def} ${EMPTY:-def} ${EMPTY-kept}x ${NAME:+set} ${NONE:+set}y", ["def", "def", "x", "set", "y"]],
  ["${NONE:-${NAME}}", ["world"]],
  ['KEY="a b" OTHER=c', ["KEY=a b", "OTHER=c"]],
  ["$ $1 100$", ["$", "$1", "100$"]],
])("%s", (text, expected) => {
  expect(words(text, variables)).toEqual(expected);
});

test("without splitting, spaces stay", () => {
  expect(expand("a  '$NAME' $NAME ", variables)).toBe("a  $NAME world ");
});

test("another escape character", () => {
  expect(words("C:\\dir a` b", {}, "`")).toEqual(["C:\\dir", "a b"]);
});

test("forms that take parts of a value are refused by name", () => {
  expect(() => words("${NAME#w}", variables)).toThrow("`${NAME#w}`");
});
