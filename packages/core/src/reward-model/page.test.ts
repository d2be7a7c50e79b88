import { expect, test } from "vitest";
import { pageContent } from "./page.ts";

test("a page's elements are counted and its visible text taken, as an HTML parser sees them", () => {
  const html = `<head><title>Shop</title></head><body><!-- a > b <input> -->
    <form><input name=q><INPUT type=checkbox><textarea>note</textarea><button title="a > b">Go&nbsp;on</button></form>
    <a href="/x">Caf&eacute;</a><abbr>no link</abbr><script>"<a href>" + "</div>"</script><style>p{}</style></body>`;
  expect(pageContent(html)).toEqual({
    ...{ text: "note Go on Café no link", inputs: 2, buttons: 1, links: 1, textareas: 1, forms: 1 },
  });
});

test("no page is an empty one", () => {
  expect(pageContent("")).toEqual({ text: "", inputs: 0, buttons: 0, links: 0, textareas: 0, forms: 0 });
});

test("elements that are left open hide nothing, and a page nested without end is read", () => {
  expect(pageContent("<head><title>x</title><body><p>a<p>b").text).toBe("a b");
  expect(pageContent(`${"<div>".repeat(300_000)}deep<input>`)).toMatchObject({ text: "deep", inputs: 1 });
});
