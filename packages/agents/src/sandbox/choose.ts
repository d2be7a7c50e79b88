import { type RequestOptions, request } from "node:http";

/** How long an engine may take to say that it is there. */
const answerMs = 1_000;

const defaultSocket = "/var/run/docker.sock";

/**
 * The strongest sandbox that this machine has: Docker when its engine answers, else namespaces. The engine is asked
 * without its client library, which takes 0.2 s to load.
 * @param dockerHost where the engine is, as in `DOCKER_HOST`; default: the usual socket.
 */
export async function chooseSandbox(dockerHost: string | undefined): Promise<"docker" | "namespace"> {
  return (await dockerAnswers(dockerHost)) ? "docker" : "namespace";
}

/** Whether an engine answers within a second. Of engines by TLS or SSH that is not known without its client library: no. */
export async function dockerAnswers(dockerHost: string | undefined, ms = answerMs): Promise<boolean> {
  const place = placeOf(dockerHost);
  if (place === undefined) return false;
  return new Promise((resolve) => {
    const asked = request({ ...place, path: "/_ping", signal: AbortSignal.timeout(ms) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once("error", () => resolve(false));
    asked.end();
  });
}

function placeOf(dockerHost: string | undefined): RequestOptions | undefined {
  if (dockerHost === undefined) return { socketPath: defaultSocket };
  const found = /^(unix|tcp):\/\/([^?#]+)$/.exec(dockerHost);
  if (found?.[1] === "unix") return { socketPath: found[2] };
  const [host, port = "2375"] = (found?.[2] ?? "").split(":");
  return host === undefined || host === "" ? undefined : { host, port };
}
