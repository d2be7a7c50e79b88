import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./cache.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

const run = promisify(execFile);

const version = "2.6.1";

/** Why DynamoDB Local cannot run on this machine, for a skipped suite's title; `undefined` when it can. */
export async function dynamodbLocalMissing(): Promise<string | undefined> {
  const runs = (command: string): Promise<boolean> =>
    run(command, ["-version"]).then(
      () => true,
      () => false,
    );
  const [java, compiler, maven] = await Promise.all([javaMajor(), runs("javac"), runs("mvn")]);
  if (java < 17 || !compiler) return "needs a JDK, 17 or newer";
  return maven ? undefined : "needs Maven to fetch it";
}

async function javaMajor(): Promise<number> {
  const said = await run("java", ["-version"]).catch(() => ({ stderr: "" }));
  return Number(/version "(\d+)/.exec(said.stderr)?.[1] ?? 0);
}

/** AWS's own DynamoDB for one machine, in memory, on 127.0.0.1. Fetched by Maven (51 MB) on first use. */
export async function startDynamodbLocal(): Promise<ServerProcess> {
  const dir = await cached(`dynamodb-local-${version}`, fetchJars);
  return startServer({
    command: "java",
    args: (port) => [
      "-Xmx256m",
      `-Djava.library.path=${dir}`,
      "-cp",
      `${dir}:${join(dir, "*")}`,
      "Loopback",
      ...["-inMemory", "-sharedDb", "-disableTelemetry", "-port", String(port)],
    ],
    health: "/",
  });
}

async function fetchJars(dir: string): Promise<void> {
  const pom = join(dir, "pom.xml");
  await writeFile(pom, pomText);
  const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${dir}`, "-DincludeScope=runtime"];
  await run("mvn", ["--batch-mode", "--quiet", "-f", pom, ...goal], { maxBuffer: 16 * 1024 * 1024 });
  const source = join(dir, "Loopback.java");
  await writeFile(source, loopback);
  await run("javac", ["-cp", join(dir, "*"), "-d", dir, source]);
}

/** The server has no option for the address: by itself it listens on every one of the machine. */
const loopback = `
import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import org.eclipse.jetty.server.*;

public class Loopback {
  public static void main(String[] args) throws Exception {
    var proxy = ServerRunner.createServerFromCommandLineArgs(args);
    var field = proxy.getClass().getDeclaredField("server");
    field.setAccessible(true);
    for (Connector connector : ((Server) field.get(proxy)).getConnectors()) {
      ((ServerConnector) connector).setHost("127.0.0.1");
    }
    proxy.start();
    proxy.join();
  }
}
`;

const pomText = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tracemill.test</groupId>
  <artifactId>emulators</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`;
