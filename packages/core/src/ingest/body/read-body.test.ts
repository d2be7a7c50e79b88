import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../../../../test/fakes/memory-stores.ts";
import { sha256Hex } from "../../ids.ts";
import { objectKeys } from "../../keys.ts";
import { collect } from "../../streams.ts";
import { parseExact } from "../json.ts";
import { parseArtifactReference, readArtifact } from "./artifact.ts";
import { MOST_DEPTH } from "./limits.ts";
import { readBody } from "./read-body.ts";
import { JsonRewriter } from "./rewrite.ts";
import type { ArtifactStore } from "./spool.ts";
import { restoreValues } from "./whole.ts";

function testStore() {
  const objects = memoryObjectStore();
  const artifacts: ArtifactStore = { objects, source: "prod" };
  const keys = async () => {
    const found: string[] = [];
    for await (const { key } of objects.list("")) found.push(key);
    return found;
  };
  return { objects, artifacts, keys };
}

/** An answer that arrives in chunks of `size` bytes. */
function answer(text: string | Uint8Array, size = 64 * 1024, status = 200): Response {
  const bytes = Buffer.from(text);
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.byteLength) return controller.close();
      controller.enqueue(Uint8Array.from(bytes.subarray(at, at + size)));
      at += size;
    },
  });
  return new Response(stream, { status });
}

/** The same text through the streaming way, however short, cut at the given places. */
async function rewritten(text: string, cuts: readonly number[]): Promise<string> {
  const rewriter = new JsonRewriter(testStore().artifacts);
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
  let from = 0;
  for (const place of [...places, text.length]) {
    await rewriter.take(text.slice(from, place));
    from = place;
  }
  return rewriter.end();
}

const number = fc.oneof(
  fc.constantFrom("0", "-0", "1.0", "1e3", "1E+400", "12345678901234567890", "-1.50e-7"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const string = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\/"),
    ),
  )
  .map(
    (parts) =>
      `"${parts.map((part) => (part.startsWith("\\") && part.length > 1 ? part : JSON.stringify(part).slice(1, -1))).join("")}"`,
  );
const key = fc.oneof(
  fc.constantFrom('"id"', '"data"', '"results"', '"steps"', '"__proto__"', '"a\\u0062"'),
  string,
);
const space = fc.constantFrom("", " ", "\n\t", "\r\n");
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    number,
    string,
    fc.constantFrom("true", "false", "null"),
    fc
      .tuple(space, fc.array(tie("json")))
      .map(([gap, items]) => `[${gap}${items.join(`${gap},${gap}`)}${gap}]`),
    fc
      .tuple(space, fc.array(fc.tuple(key, tie("json"))))
      .map(
        ([gap, pairs]) =>
          `{${gap}${pairs.map(([name, value]) => `${name}${gap}:${gap}${value}`).join(",")}${gap}}`,
      ),
  ),
}));
const cuts = fc.array(fc.nat());

describe("an answer that is read as a stream", () => {
  test("says what it says when it is read whole", async () => {
    await fc.assert(
      fc.asyncProperty(json, cuts, async (text, places) => {
        const expected = JSON.stringify(parseExact(text));
        expect(JSON.stringify(parseExact(await rewritten(text, places)))).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("is refused when it is not JSON, and only then", async () => {
    const damaged = fc
      .tuple(
        json,
        fc.nat(),
        fc.nat({ max: 3 }),
        fc.constantFrom("", "}", "]", ",", '"', "\\", "1", "x", "\u0001", " "),
      )
      .map(([text, at, drop, extra]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + extra + text.slice(place + drop);
      });
    await fc.assert(
      fc.asyncProperty(damaged, cuts, async (text, places) => {
        const whole = isJson(text);
        const outcome = await rewritten(text, places).then(
          () => "taken",
          (error: Error) => error.message,
        );
        expect(outcome).toMatch(whole ? /^taken$/ : /^the answer is not whole JSON \(/);
      }),
      { numRuns: 1_000 },
    );
  });

  test("may be cut in the middle of a character", async () => {
    const { artifacts } = testStore();
    const text = JSON.stringify({ id: "é😀", steps: ["日本語".repeat(150_000)], note: "😀" });
    const body = JSON.parse(await readBody(answer(text, 7_001), "GET /x", { artifacts }));
    expect(body).toMatchObject({ id: "é😀", note: "😀" });
    expect(await restoreValues(body, artifacts.objects, "x")).toEqual(JSON.parse(text));
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const pixels = Buffer.from(Array.from({ length: 30_001 }, (_, index) => (index * 7) % 251));
const screenshot = `data:image/png;base64,${pixels.toString("base64")}`;
const reference = `artifact:${sha256Hex(pixels)};image/png`;

describe("a screenshot in a data URL", () => {
  test("becomes an object of its bytes, once, and a reference wherever it stood", async () => {
    const { artifacts, objects, keys } = testStore();
    const steps = [{ image: screenshot }, { message: [{ image_url: { url: screenshot } }] }];
    const text = await readBody(answer(JSON.stringify({ id: 1, steps })), "GET /x", { artifacts });
    expect(JSON.parse(text)).toEqual({
      id: 1,
      steps: [{ image: reference }, { message: [{ image_url: { url: reference } }] }],
    });
    expect(await keys()).toEqual([objectKeys.artifact(sha256Hex(pixels))]);
    const { mediaType, body } = await readArtifact(objects, reference);
    expect(mediaType).toBe("image/png");
    expect(pixels.equals(await collect(body))).toBe(true);
  });

  test.each([
    ["is short", `data:image/png;base64,${"QUFB".repeat(1_000)}`],
    ["is part of a text", `<img src="${screenshot}">`],
    ["is not base64", `${screenshot.slice(0, 9_000)}*${screenshot.slice(9_001)}`],
    ["has a line end in it", `${screenshot.slice(0, 9_000)}\n${screenshot.slice(9_000)}`],
    ["lacks its padding", `data:image/png;base64,${"QUFB".repeat(2_000)}QQ`],
    ["would come back with other bits", `data:image/png;base64,${"QUFB".repeat(2_000)}QR==`],
    ["has padding in the middle", `data:image/png;base64,${"QUFB".repeat(2_000)}QQ==QUFB`],
    ["is percent-encoded", `data:image/svg+xml,${"%3Csvg".repeat(2_000)}`],
    ["is JSON, as which moved values are known", `data:application/json;base64,${"QUFB".repeat(2_000)}`],
  ])("stays where it is when it %s", async (_why, url) => {
    const { artifacts, keys } = testStore();
    const text = JSON.stringify({ id: 1, steps: [url] });
    expect(await readBody(answer(text), "GET /x", { artifacts })).toBe(text);
    expect(await keys()).toEqual([]);
  });

  test("stays without a store", async () => {
    const text = JSON.stringify({ steps: [screenshot] });
    expect(await readBody(answer(text), "GET /x")).toBe(text);
  });

  test("of any length gives its bytes back", async () => {
    const bytes = fc.uint8Array({ minLength: 3_100, maxLength: 9_000 });
    const type = fc.constantFrom("image/png", "image/svg+xml;charset=utf-8", "Video/WebM", "text/plain");
    await fc.assert(
      fc.asyncProperty(bytes, type, fc.integer({ min: 1, max: 5_000 }), async (content, mediaType, size) => {
        const { artifacts, objects } = testStore();
        const url = `data:${mediaType};base64,${Buffer.from(content).toString("base64")}`;
        const text = await readBody(answer(JSON.stringify([url]), size), "GET /x", { artifacts });
        const [stored = ""] = JSON.parse(text) as string[];
        expect(parseArtifactReference(stored)?.mediaType).toBe(mediaType);
        const { body } = await readArtifact(objects, stored);
        expect(Buffer.compare(await collect(body), Buffer.from(content))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

const manySteps = Array.from({ length: 20_000 }, (_, index) => ({
  message: `step ${index} ${"x".repeat(60)}`,
  n: 1.5,
}));
const longText = 'words "and" é😀\n'.repeat(120_000);

describe("a value that is too long for a row", () => {
  test("leaves a string's place to a reference, and its record when it is a list", async () => {
    const { artifacts, objects, keys } = testStore();
    const solution = { id: "s1", steps: manySteps, answer: longText, evaluation: { status: "passed" } };
    const whole = { results: [solution, { id: "s2", steps: [] }], total: 2 };
    const body = JSON.parse(await readBody(answer(JSON.stringify(whole)), "GET /x", { artifacts }));
    const moved = expect.stringMatching(/^artifact:[0-9a-f]{64};application\/json$/);
    expect(body).toEqual({
      results: [
        { id: "s1", answer: moved, evaluation: { status: "passed" }, moved_fields: { steps: moved } },
        { id: "s2", steps: [] },
      ],
      total: 2,
    });
    expect(await restoreValues(body, objects, "x")).toEqual(whole);
    expect((await keys()).every((key) => key.startsWith("artifacts/"))).toBe(true);
  });

  test("moves whichever way the page is cut, so that a row is the same on any page", async () => {
    const { artifacts } = testStore();
    const solution = JSON.stringify({ id: "s1", steps: manySteps, image: screenshot });
    const read = async (text: string) => JSON.parse(await readBody(answer(text), "GET /x", { artifacts }));
    const alone = await read(solution);
    expect((await read(`{"data":{"solutions":[${solution},${solution}]}}`)).data.solutions).toEqual([
      alone,
      alone,
    ]);
    expect(await read(`[${solution}]`)).toEqual([alone]);
    expect(await read(`{"result":${solution}}`)).toEqual({ result: alone });
  });

  test("of more than 4 MiB is spooled, and nothing of the spool stays", async () => {
    const { artifacts, objects, keys } = testStore();
    const image = Buffer.alloc(5 * 1024 * 1024, "screen");
    const steps = [`data:image/png;base64,${image.toString("base64")}`, "x".repeat(6_000_000), ...manySteps];
    const body = JSON.parse(
      await readBody(answer(JSON.stringify({ id: 1, steps })), "GET /x", { artifacts }),
    );
    expect(body.moved_fields).toBeDefined();
    const restored = (await restoreValues(body, objects, "x")) as { steps: unknown[] };
    expect(restored.steps.slice(1)).toEqual(steps.slice(1));
    const { body: stored } = await readArtifact(objects, String(restored.steps[0]));
    expect(image.equals(await collect(stored))).toBe(true);
    expect((await keys()).filter((key) => !key.startsWith("artifacts/"))).toEqual([]);
  });

  test("a reference to a value that is not there says so", async () => {
    const gone = { id: "s", prompt: `artifact:${"0".repeat(64)};application/json` };
    await expect(restoreValues(gone, memoryObjectStore(), "solution s")).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("not in the store"),
    });
  });
});

describe("an answer that goes wrong", () => {
  const text = JSON.stringify({ id: 1, steps: [`data:image/png;base64,${"QUFB".repeat(3_000_000)}`] });

  test("leaves nothing in the store when its connection breaks", async () => {
    const { artifacts, keys } = testStore();
    let at = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at > 9_000_000) return controller.error(new TypeError("terminated"));
        controller.enqueue(Buffer.from(text.slice(at, at + 65_536)));
        at += 65_536;
      },
    });
    await expect(readBody(new Response(broken), "GET /x", { artifacts })).rejects.toThrow("terminated");
    expect(await keys()).toEqual([]);
  });

  test("leaves nothing when it ends too early, or with garbage", async () => {
    const { artifacts, keys } = testStore();
    for (const bad of [text.slice(0, -9), `${text}}`]) {
      await expect(readBody(answer(bad), "GET /x", { artifacts })).rejects.toThrow("not whole JSON");
    }
    expect((await keys()).filter((key) => key.startsWith("spool/"))).toEqual([]);
  });

  test("stops at once when the store is full", async () => {
    const { artifacts, objects } = testStore();
    const full = { ...objects, put: () => Promise.reject(new Error("full")) };
    await expect(
      readBody(answer(text), "GET /x", { artifacts: { ...artifacts, objects: full } }),
    ).rejects.toThrow("full");
  });

  test.each([
    ["[", "]"],
    ['{"a":', "}"],
  ])("is refused when it nests too deep: %s", async (open, close) => {
    const bomb = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
    const { artifacts } = testStore();
    const spaces = " ".repeat(1_100_000);
    for (const deps of [{}, { artifacts }]) {
      for (const gap of ["", spaces]) {
        const read = (depth: number) => readBody(answer(gap + bomb(depth)), "GET /x", deps);
        await expect(read(MOST_DEPTH)).resolves.toContain("1");
        await expect(read(MOST_DEPTH + 1)).rejects.toMatchObject({
          code: "source-protocol",
          message: expect.stringContaining("GET /x: the answer nests more than 500 levels"),
        });
      }
    }
  });

  test("with a status that is no success is read no further than it has to be", async () => {
    const { artifacts, keys } = testStore();
    const read = await readBody(answer(text, 65_536, 500), "GET /x", { artifacts });
    expect(read.length).toBeLessThan(1_200_000);
    expect(await keys()).toEqual([]);
  });
});
