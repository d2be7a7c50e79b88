import { expect, test } from "vitest";
import { createOutput, printable } from "./output.ts";
import { table } from "./tables.ts";

test("what others wrote cannot command the terminal", () => {
  expect(printable("a\u001b[31mb\u0007\u009b c\r\td\r\ne\nü🎉")).toBe(
    "a\\u001b[31mb\\u0007\\u009b c\\u000d\td\r\ne\nü🎉",
  );
  let printed = "";
  const stream = {
    write: (text: string) => {
      printed += text;
    },
  };
  const out = createOutput({ stdout: stream, stderr: stream });
  out.text("\u001b]0;title");
  out.note("\u001b[2J");
  out.text(table(["name"], [["\u001b[8mhidden"]]));
  expect(printed).toBe("\\u001b]0;title\n\\u001b[2J\nname\n\\u001b[8mhidden\n");
});
