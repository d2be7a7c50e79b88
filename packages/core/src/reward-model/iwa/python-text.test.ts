import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cleanDom, firstCodePoints, urlTokens } from "./python-text.ts";

const file = new URL("../../../../../test/fixtures/iwa/clean-dom.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as {
  cases: { html: string; most: number; text: string }[];
};

test.each(cases)("the text of a page is what the original takes: $html", ({ html, most, text }) => {
  expect(cleanDom(html, most)).toBe(text);
});

test("characters are counted as Python counts them", () => {
  expect(firstCodePoints("😀😀😀", 2)).toBe("😀😀");
  expect(cleanDom("<p>😀😀😀</p>", 2)).toBe("😀😀");
});

test("a page of opening brackets alone takes no time beyond its length", () => {
  const html = "<script".repeat(200_000);
  expect(cleanDom(html)).toBe(html.slice(0, 3_000));
});

test("a URL gives its first 50 parts", () => {
  expect(urlTokens("https://shop.test/p/0?x=0#top")).toEqual([
    "https",
    "shop",
    "test",
    "p",
    "0",
    "x",
    "0",
    "top",
  ]);
  expect(urlTokens("")).toEqual([]);
  expect(urlTokens("a/".repeat(99))).toHaveLength(50);
});
