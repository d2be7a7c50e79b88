import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxProcess } from "@tracemill/core/ports/sandbox.ts";
import { lines } from "@tracemill/core/streams.ts";
import { badArguments, type Tool, type ToolSession, textArgument } from "./tool.ts";

const timeoutMs = 60_000;
const outputChars = 64 * 1024;

/**
 * Reads one JSON string a line (the code), answers one JSON object a line: `{stdout, stderr, result}`, where
 * `result` is the value of a last expression, as a notebook shows it. Names live on from call to call.
 */
const driver = `
import ast, contextlib, io, json, sys, traceback
names = {"__name__": "__main__"}
answers = sys.stdout
def run(code):
    out, err, result = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            tree = ast.parse(code)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<code>", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "<code>", "eval"), names)
                result = None if value is None else repr(value)
        except BaseException:
            traceback.print_exc(limit=-1)
    limit = ${outputChars}
    return {"stdout": out.getvalue()[:limit], "stderr": err.getvalue()[:limit], "result": result and result[:limit]}
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), file=answers, flush=True)
`;

/** Runs Python; names, imports and functions live on between the calls of one attempt. */
export const python: Tool = {
  names: ["execute_python", "python", "run_python", "ipython"],
  definition: {
    type: "function",
    function: {
      name: "execute_python",
      description: "Runs Python code and returns what it prints and the value of its last expression.",
      parameters: { type: "object", properties: { code: { type: "string" } }, required: ["code"] },
    },
  },
  open: (session) => {
    let interpreter: Interpreter | undefined;
    return async (args) => {
      const code = textArgument(args, ["code", "source", "script"]);
      if (code === undefined) return badArguments("execute_python", "{code: string}");
      interpreter ??= await startInterpreter(session);
      const answer = await interpreter.run(code);
      if (answer !== undefined) return answer;
      interpreter = undefined;
      return JSON.stringify({
        stdout: "",
        stderr: `the interpreter ended, or gave no answer in ${timeoutMs / 1_000} s; names are lost`,
        result: null,
      });
    };
  },
};

interface Interpreter {
  /** `undefined` when the interpreter died or took too long; it is gone then. */
  run(code: string): Promise<string | undefined>;
}

async function startInterpreter({ sandbox, signal, resources }: ToolSession): Promise<Interpreter> {
  const found = await sandbox.exec(["/bin/sh", "-c", "command -v python3"], { signal });
  if (found.exitCode !== 0) {
    throw new TracemillError(
      "sandbox-failed",
      "the sandbox has no python3, which the tool execute_python needs; install it on this machine",
    );
  }
  const process = await sandbox.start(["python3", "-u", "-c", driver], { env: { PYTHONHASHSEED: "0" } });
  resources.defer(() => process.kill());
  const answers = lines(process.stdout);
  return { run: (code) => ask(process, answers, code, signal) };
}

async function ask(
  process: SandboxProcess,
  answers: AsyncGenerator<string>,
  code: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  await process.write(`${JSON.stringify(code)}\n`);
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const stopped = new Promise<undefined>((resolve) => {
    stop.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const answered = answers.next().then((next) => (next.done === true ? undefined : next.value));
  const answer = await Promise.race([answered, stopped]);
  if (answer === undefined) process.kill();
  return answer;
}
