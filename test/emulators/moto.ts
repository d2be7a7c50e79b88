import { type ServerProcess, startServer } from "./server-process.ts";
import { pythonVenv } from "./venv.ts";

/** What an emulated AWS runs on; the end-to-end tests use the same. */
export const motoRequirement = "moto[server]==5.2.5";

/**
 * moto looks whether an object or a row is there and then writes it, in threads, with nothing in between: of 50
 * writers several would win. AWS does both at once, and so does this, by one request for S3 or DynamoDB at a time.
 * Its routes' `.` matches no line break, so that an object key with one finds nothing; here it does.
 * Werkzeug's log of every request, which nobody reads, costs a third of the time.
 */
const program = `
import logging, sys, threading
from moto import server
from moto.moto_server import werkzeug_app

class OneAtATime(werkzeug_app.DomainDispatcherApplication):
    turn = threading.Lock()

    def __call__(self, environ, start_response):
        signed = environ.get("HTTP_AUTHORIZATION", "")
        if "/s3/aws4" not in signed and "/dynamodb/aws4" not in signed:
            return super().__call__(environ, start_response)
        with self.turn:
            return super().__call__(environ, start_response)

def any_character(self, url_map, *items):
    werkzeug_app.RegexConverter.__mro__[1].__init__(self, url_map)
    self.regex = f"(?s:{items[0]})"

werkzeug_app.RegexConverter.__init__ = any_character
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server.DomainDispatcherApplication = OneAtATime
server.main(sys.argv[1:])
`;

/** Emulated AWS on 127.0.0.1, empty. Its data end with it. */
export async function startMoto(): Promise<ServerProcess> {
  const { python } = await pythonVenv([motoRequirement]);
  return startServer({
    command: python,
    args: (port) => ["-c", program, "-H", "127.0.0.1", "-p", String(port)],
    health: "/moto-api/",
  });
}
