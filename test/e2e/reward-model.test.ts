import { cp, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { startProductionApi } from "../servers/production-api.ts";
import { completion, scriptedModel } from "../servers/scripted-model.ts";
import { productionActivity } from "./production-activity.ts";
import { jsonLines, tracemill, type UserMachine, userMachine } from "./tracemill.ts";

const golden = resolve(import.meta.dirname, "../fixtures/iwa/data/inputs/reward_model");
const screenshot = `data:image/png;base64,${Buffer.alloc(6_000, 7).toString("base64")}`;

/** Purchases on a few websites, right and wrong, as a browser agent was recorded. */
function purchases(count: number) {
  const rows = Array.from({ length: count }, (_, at) => {
    const id = `buy-${at}`;
    const site = `https://shop-${at % 4}.test`;
    const solution = (kind: "right" | "wrong") => ({
      id: `${kind}-${at}`,
      agent: "browser",
      execution_history: [0, 1].map((iteration) => ({
        action: { type: "ClickAction", selector: "#buy" },
        successfully_executed: true,
        browser_snapshot: {
          iteration,
          prev_html: '<button id="buy">Buy</button>',
          current_html: kind === "right" ? "<p class=done>Thank you</p>" : "<p>Sold out</p>",
          current_url: `${site}/${kind}/${iteration}`,
          screenshot_after: screenshot,
          backend_events: kind === "right" ? [{ event_name: "order_created", payload: { id: at } }] : [],
        },
      })),
      evaluation: {
        status: kind === "right" ? "passed" : "failed",
        score: kind === "right" ? 1 : 0,
        checks: [
          // The source is wrong about every wrong one: it claims an order that nobody recorded.
          { name: "backend_event:order_created", passed: true },
          { name: "dom:button_clicked", value: "#buy", passed: true },
        ],
      },
    });
    const open = { ...solution("wrong"), id: `open-${at}`, evaluation: { status: "evaluating" } };
    return {
      task: { id, status: "done", prompt: `Buy ${at}`, url: site },
      solutions: [solution("right"), solution("wrong"), open],
    };
  });
  return {
    tasks: rows.map(({ task }) => task),
    solutions: Object.fromEntries(rows.map(({ task, solutions }) => [task.id, solutions])),
  };
}

async function rowsOf(machine: UserMachine, { name, version }: Manifest, table: string, split: string) {
  const path = join(machine.home, "objects/datasets", name, version, "jsonl", table, `${split}.jsonl`);
  return jsonLines({ stdout: await readFile(path, "utf8") });
}

interface Manifest {
  name: string;
  version: string;
  counts: Record<string, Record<string, { rows: number }>>;
  episodes: { kept: number; successes: number; withBrowser: number; putAside: Record<string, number> };
  checks: Record<string, unknown>[];
  labels?: { labelled: number; missing: Record<string, number> };
  leakCheck: Record<string, number>;
}

describe("production solutions", () => {
  test("become reward-model data, with labels, and with the trials of a run beside them", async () => {
    const shop = purchases(12);
    const shell = productionActivity(3);
    await using api = await startProductionApi({
      tasks: [...shop.tasks, ...shell.tasks],
      solutions: { ...shop.solutions, ...shell.solutions },
    });
    const label = {
      ...{ page_type: "checkout", goal_progress: 1, nav_depth: 1, item_count: 0, price_present: false },
      ...{ pagination_state: "none", salient_entities: [], is_on_wrong_product: false, confidence: 0.75 },
      affordances: {
        can_go_back: true,
        can_search: false,
        can_filter: false,
        can_add_to_cart: false,
        can_submit_form: false,
      },
    };
    await using model = await scriptedModel((_, before) =>
      completion({ content: before === 0 ? "Let me see." : JSON.stringify(label) }),
    );
    await using machine = await userMachine({
      TRACEMILL_PROD_BASE_URL: api.url,
      TRACEMILL_PROD_API_TOKEN: "secret-token",
      LABEL_KEY: "sk-label",
    });
    expect(await tracemill(machine, "ingest")).toMatchObject({ code: 0 });
    await writeFile(
      join(machine.dir, "s.yaml"),
      "name: s\ntasks: [snapshot:prod]\nagents: [{ name: recorded }]\n",
    );
    const build = ["reward-model", "build", "prod", "--name", "shop", "--seed", "3", "--json"];
    const flags = [
      "--labels",
      "--model",
      "labeler",
      "--model-url",
      model.baseUrl,
      "--model-key-env",
      "LABEL_KEY",
    ];

    const built = await tracemill(machine, ...build, ...flags);
    expect(built).toMatchObject({ code: 0 });
    const [manifest] = jsonLines<Manifest>(built);
    if (manifest === undefined) throw new Error("no manifest");
    // 12 right, 12 wrong; 8 solutions of shell tasks and sums; 12 are still evaluated.
    expect(manifest.episodes).toMatchObject({ kept: 32, withBrowser: 24, putAside: { "not-evaluated": 12 } });
    expect(manifest.checks).toEqual([
      {
        name: "backend_event:order_created",
        agree: 12,
        claimedPassed: 12,
        claimedFailed: 0,
        unknown: 0,
        unclaimed: 0,
      },
      { name: "dom:button_clicked", agree: 24, claimedPassed: 0, claimedFailed: 0, unknown: 0, unclaimed: 0 },
    ]);
    expect(manifest.leakCheck).toMatchObject({
      groupsInSeveralSplits: 0,
      tasksInSeveralSplits: 0,
      websitesInSeveralSplits: 0,
    });
    expect(manifest.labels).toEqual({
      model: "labeler",
      labelled: 48,
      missing: { "no-page": expect.any(Number) },
    });
    expect(model.asked[0]?.headers.authorization).toBe("Bearer sk-label");
    const asked = model.asked.length;
    expect(jsonLines<Manifest>(await tracemill(machine, ...build, ...flags))[0]?.version).toBe(
      manifest.version,
    );
    expect(model.asked).toHaveLength(asked);

    const splits = Object.keys(manifest.counts.episodes ?? {});
    const episodes = (
      await Promise.all(splits.map((split) => rowsOf(machine, manifest, "episodes", split)))
    ).flat();
    const shots = JSON.stringify(episodes).match(/"artifact:[0-9a-f]{64};image\/png"/g);
    expect(shots).toHaveLength(48);
    expect(JSON.stringify(episodes)).not.toContain("base64,");

    expect(await tracemill(machine, "run", "s.yaml")).toMatchObject({ code: 0 });
    const both = await tracemill(
      machine,
      "reward-model",
      "build",
      "prod",
      "latest",
      "--name",
      "both",
      "--json",
    );
    expect(jsonLines<Manifest>(both)[0]).toMatchObject({ leakCheck: { tasksInSeveralSplits: 0 } });
    expect(jsonLines<Manifest>(both)[0]?.episodes.kept).toBeGreaterThan(32);
  });

  test("are checked again, and disagreements are told one by one", async () => {
    await using api = await startProductionApi(purchases(2));
    await using machine = await userMachine({
      TRACEMILL_PROD_BASE_URL: api.url,
      TRACEMILL_PROD_API_TOKEN: "secret-token",
    });
    const ingest = await tracemill(machine, "ingest", "--json");
    expect(ingest).toMatchObject({ code: 0 });
    const [snapshot] = jsonLines(ingest);
    const { stdout, code } = await tracemill(machine, "reward-model", "check", "prod");
    const earlier = `source:prod@${String(snapshot?.snapshotId)}`;
    expect((await tracemill(machine, "reward-model", "check", earlier)).stdout).toBe(stdout);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "prod/wrong-0: backend_event:order_created is said to have passed, but no event order_created",
    );
    const lines = jsonLines(await tracemill(machine, "reward-model", "check", "prod", "--json"));
    expect(lines.filter(({ type }) => type === "disagreement")).toHaveLength(2);
    expect(lines.filter(({ type }) => type === "check")).toHaveLength(2);
  });
});

describe("files of episodes", () => {
  test("give the original's files, byte for byte", async () => {
    await using machine = await userMachine();
    await cp(join(golden, "raw_evaluations"), join(machine.dir, "raw"), { recursive: true });
    await writeFile(join(machine.dir, "raw/before_old.jsonl"), '{"episode_id":"replaced"}\n');
    expect(await tracemill(machine, "reward-model", "iwa", "raw", "--output", ".")).toMatchObject({
      code: 0,
    });
    for (const split of ["train", "val", "test"]) {
      for (const path of [
        `splits/${split}.json`,
        `splits/semantic_${split}.json`,
        `features/${split}_finals.json`,
      ]) {
        const written = await readFile(join(machine.dir, "data/inputs/reward_model", path));
        expect(written.equals(await readFile(join(golden, path)))).toBe(true);
      }
    }
    const pairs = await readFile(join(machine.dir, "data/inputs/reward_model/pairs/pairs.jsonl"), "utf8");
    expect(pairs.split("\n")).toHaveLength(50_001);
  });

  test("that were built can be read again as episodes", async () => {
    await using machine = await userMachine();
    const options = ["--name", "a", "--split", "all=1", "--json"];
    const [first] = jsonLines<Manifest>(
      await tracemill(machine, "reward-model", "build", golden.concat("/raw_evaluations"), ...options),
    );
    if (first === undefined) throw new Error("no manifest");
    const path = join(machine.home, "objects/datasets/a", first.version, "jsonl/episodes");
    const [again] = jsonLines<Manifest>(await tracemill(machine, "reward-model", "build", path, ...options));
    expect(again?.episodes).toMatchObject({ kept: 12, putAside: {} });
    if (again === undefined) throw new Error("no manifest");
    expect(await rowsOf(machine, again, "finals", "all")).toEqual(
      await rowsOf(machine, first, "finals", "all"),
    );
  });

  test("with broken ones among them: those are counted, with their place and reason", async () => {
    await using machine = await userMachine();
    const [line = ""] = (await readFile(join(golden, "raw_evaluations/eps.jsonl"), "utf8")).split("\n");
    const episode = JSON.parse(line);
    const { final_score: _, ...unscored } = episode;
    const broken = [
      unscored,
      { ...episode, steps: [] },
      { ...episode, steps: [episode.steps[1], episode.steps[1]] },
    ];
    const text = [...broken, episode].map((one) => JSON.stringify(one)).join("\n");
    await writeFile(join(machine.dir, "eps.jsonl"), `${text}\n{"episode_id":`);
    const { code, stdout } = await tracemill(machine, "reward-model", "build", "eps.jsonl");
    expect(code).toBe(0);
    expect(stdout).toContain("1 episodes, 1 good");
    for (const kind of [
      "no-final-score; first: eps.jsonl:1",
      "no-steps; first: eps.jsonl:2",
      "invalid; first: eps.jsonl:5",
    ]) {
      expect(stdout).toContain(`put aside: 1 (${kind}`);
    }
  });
});

describe("a mistake in the command", () => {
  test.each([
    [["build", "nowhere"], "nowhere: no file, no source with a whole snapshot, and no run is called so"],
    [["build", "source:prod"], "tracemill ingest --source prod"],
    [["build", "file:none.jsonl"], "none.jsonl: no such file or folder"],
    [["build", "."], "no .jsonl files of episodes"],
    [["build", golden.concat("/raw_evaluations"), "--labels"], "--model NAME and --model-url URL"],
    [["build", golden.concat("/raw_evaluations"), "--split", "train=0.4"], "add up to 1"],
    [["iwa", golden.concat("/raw_evaluations")], "--output"],
  ])("%j is told in words", async (args, words) => {
    await using machine = await userMachine();
    const { code, stderr } = await tracemill(machine, "reward-model", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).not.toContain("    at ");
  });
});
