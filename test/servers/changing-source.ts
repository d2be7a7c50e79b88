type Item = Record<string, unknown>;

export interface ChangingTask {
  task: Item & { id: string; status: string };
  solutions: (Item & { id: string })[];
}

/** What the entries of its lists say of a task. */
export type EntryStyle =
  /** Its content alone: nothing says when it changed. */
  | "bare"
  /** When it changed, new solutions included, and how many solutions it has. Evaluations move on in silence. */
  | "counted"
  /** When it, a solution or an evaluation changed. */
  | "active"
  /** As `counted`, and no content: that is under `/tasks/{id}` and `/solutions/{id}`. */
  | "summaries";

/** A production API in memory that changes from night to night by a seed, and its `fetch`. */
export class ChangingSource {
  readonly tasks = new Map<string, ChangingTask>();
  requests = 0;
  /** Share of requests that are answered by an error of the server. */
  failing = 0;
  /** What this API calls the filter by time, if it has one. */
  sinceParam: string | undefined;
  readonly #style: EntryStyle;
  readonly #random: () => number;
  #ids = 0;
  /** Milliseconds since the epoch: the server's own clock. */
  #now = Date.parse("2026-01-01T00:00:00.000Z");

  constructor(style: EntryStyle, random: () => number) {
    this.#style = style;
    this.#random = random;
  }

  /** A random number below `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  /** Lets a day go by in which so many things happen. */
  day(changes: number): void {
    for (let each = 0; each < changes; each += 1) {
      this.#now += Math.floor(86_400_000 / (changes + 2));
      this.#change();
    }
    this.#now += 600_000;
  }

  add(): void {
    this.#ids += 1;
    const id = `task ${this.#ids}`;
    const task = { id, status: this.#random() < 0.9 ? "done" : "open", prompt: `Do ${id}.` };
    this.tasks.set(id, { task, solutions: [] });
    for (let count = this.below(4); count > 0; count -= 1) this.#solve(id);
    this.#touch(id);
  }

  /** Changes a solution that was judged, and nothing that an entry shows. */
  changeInSecret(id: string): void {
    const solution = this.tasks.get(id)?.solutions[0];
    if (solution !== undefined) solution.steps = [{ message: `secret ${this.#random()}` }];
  }

  #change(): void {
    const ids = [...this.tasks.keys()];
    const id = ids[this.below(ids.length)];
    const kind = this.below(8);
    const found = kind === 0 ? undefined : this.tasks.get(id ?? "");
    if (id === undefined || found === undefined) {
      this.add();
      return;
    }
    if (kind === 1) this.tasks.delete(id);
    else if (kind === 2) found.task.prompt = `Do ${id}, version ${this.#random()}.`;
    else if (kind === 3) found.task.status = found.task.status === "done" ? "archived" : "done";
    else if (kind === 4) found.solutions.splice(this.below(found.solutions.length + 1), 1);
    else if (kind === 5) this.#judge(found);
    else this.#solve(id);
    if (kind !== 5 || this.#style === "active") this.#touch(id);
  }

  #solve(id: string): void {
    this.#ids += 1;
    const solutionId = `solution ${this.#ids}`;
    const status = ["pending", "evaluating", "passed", "failed"][this.below(4)];
    const evaluation = this.#random() < 0.1 ? {} : { evaluation: { status, score: this.#random() } };
    const steps = [{ message: `Answer ${this.#random()}` }];
    this.tasks.get(id)?.solutions.push({ id: solutionId, task_id: id, steps, ...evaluation });
  }

  /** An evaluation that was under way comes to its end; those that have ended stay. */
  #judge({ solutions }: ChangingTask): void {
    for (const solution of solutions) {
      const status = (solution.evaluation as Item | undefined)?.status;
      if (status === "passed" || status === "failed") continue;
      solution.evaluation = { status: this.#random() < 0.5 ? "passed" : "failed", score: this.#random() };
      return;
    }
  }

  #touch(id: string): void {
    const found = this.tasks.get(id);
    if (found === undefined || this.#style === "bare") return;
    found.task.updated_at = new Date(this.#now).toISOString();
    if (this.#style !== "active") found.task.solutions_count = found.solutions.length;
  }

  readonly fetch: typeof fetch = async (input) => {
    this.requests += 1;
    if (this.#random() < this.failing) return Response.json({ error: "busy" }, { status: 503 });
    const url = new URL(String(input));
    const [, kind, id, inner] = url.pathname.split("/").map(decodeURIComponent);
    if (kind === "tasks" && id === undefined) return this.#list(url);
    const found = kind === "tasks" ? this.tasks.get(id ?? "") : undefined;
    if (found !== undefined)
      return inner
        ? page(
            found.solutions.map((each) => this.#brief(each)),
            url,
          )
        : Response.json(found.task);
    const solution = [...this.tasks.values()]
      .flatMap((each) => each.solutions)
      .find((each) => each.id === id);
    if (kind === "solutions" && solution !== undefined) return Response.json(solution);
    return Response.json({ error: "not found" }, { status: 404 });
  };

  #list(url: URL): Response {
    const since = this.sinceParam === undefined ? null : url.searchParams.get(this.sinceParam);
    const listed = [...this.tasks.values()]
      .map(({ task }) => task)
      .filter(({ status }) => status === url.searchParams.get("status"))
      .filter(({ updated_at: at }) => since === null || String(at) > since);
    return page(
      listed.map((task) => this.#brief(task)),
      url,
    );
  }

  #brief(item: Item): Item {
    if (this.#style !== "summaries") return item;
    const { id, status, updated_at, solutions_count } = item;
    return { id, status, updated_at, solutions_count };
  }
}

function page(items: readonly Item[], url: URL): Response {
  const [number, size] = ["page", "page_size"].map((name) => Number(url.searchParams.get(name) ?? 1));
  const start = ((number ?? 1) - 1) * (size ?? 1);
  return Response.json({ results: items.slice(start, start + (size ?? 1)), total: items.length });
}
