/** Bytes of stdout, of stderr and characters of a value that an answer holds; the rest is dropped. */
const keptBytes = 64 * 1024;

/** No answer is longer: a byte is at most six in JSON, and a character of the value twelve. */
export const maxAnswerBytes = 4 * 6 * keptBytes + 4096;

/**
 * The program that runs inside the sandbox. It reads one JSON string a line (the code; `null` ends it) and answers
 * one JSON object a line, `{stdout, stderr, result}`, where `result` is the value of a last expression, as a
 * notebook shows it. Names live on from call to call.
 *
 * Requests and answers have descriptors of their own, which child processes do not inherit. Descriptors 0, 1 and 2
 * are the code's: nothing to read, and two pipes that a thread empties, so that what child processes and libraries
 * print is part of the answer, and any amount of it takes little memory.
 */
export const interpreter = `
import ast, io, json, os, select, sys, threading, traceback, types, warnings

LIMIT = ${keptBytes}
requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
nothing, owner = os.open(os.devnull, os.O_RDWR), os.getpid()
main = sys.modules["__main__"] = types.ModuleType("__main__")
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

class Capture:
    def __init__(self, fd):
        self.fd, self.lock, self.kept, self.size = fd, threading.Lock(), b"", 0
        self.source, self.sink = os.pipe()
        threading.Thread(target=self.follow, daemon=True).start()

    def begin(self):
        os.dup2(self.sink, self.fd)
        return io.open(self.fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)

    def waiting(self, seconds):
        return select.select([self.source], [], [], seconds)[0]

    def take(self):
        chunk = os.read(self.source, 65536)
        self.size += len(chunk)
        self.kept += chunk[:LIMIT - len(self.kept)]

    def follow(self):
        while True:
            self.waiting(None)
            with self.lock:
                if self.waiting(0):
                    self.take()

    def end(self):
        with self.lock:
            for _ in range(64):
                if not self.waiting(0):
                    break
                self.take()
            text, dropped = self.kept.decode("utf-8", "replace"), self.size - len(self.kept)
            self.kept, self.size = b"", 0
        return text + (f"\\n[\\u2026 {dropped} bytes dropped \\u2026]" if dropped else "")

def shown(value):
    text = repr(value)
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}\\n[\\u2026 {len(text) - LIMIT} characters dropped \\u2026]"

def run(code):
    try:
        tree = ast.parse(code)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<code>", "exec"), main.__dict__)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<code>", "eval"), main.__dict__)
            return None if value is None else shown(value)
    except BaseException:
        traceback.print_exc(limit=-1)

def flush(*streams):
    for stream in streams:
        try:
            stream.flush()
        except Exception:
            pass

out, err = Capture(1), Capture(2)
for line in requests:
    code = json.loads(line)
    if code is None:
        os._exit(0)
    os.dup2(nothing, 0)
    own = sys.stdout, sys.stderr = out.begin(), err.begin()
    sys.stdin = io.open(0, closefd=False)
    result = run(code)
    flush(sys.stdout, sys.stderr, *own)
    if os.getpid() != owner:
        os._exit(0)
    answer = {"stdout": out.end(), "stderr": err.end(), "result": result}
    answers.write(json.dumps(answer).encode() + b"\\n")
    answers.flush()
`;
