import { messageOf } from "@tracemill/core/errors.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { composeVersion } from "./compose/docker-cli.ts";
import { connect } from "./connect.ts";
import { ownEngineMissing } from "./way-in.ts";

/** What this machine's Docker has for sandboxes, and what to do where something is missing. */
export async function checkDocker(docker: Docker, baseImage: string): Promise<DoctorCheck[]> {
  try {
    const { version, cgroups, storage, hasSeccomp } = await connect(docker, 5_000);
    const engine: DoctorCheck = {
      name: "Docker",
      status: "ok",
      detail: `engine ${version}, control groups v${cgroups}, storage ${storage}${hasSeccomp ? ", seccomp" : ""}`,
    };
    return [engine, await compose(docker), await base(docker, baseImage), doors(docker)];
  } catch (error) {
    const remedy = "install and start a Docker engine, and let this user reach its socket (group docker)";
    return [{ name: "Docker", status: "missing", detail: messageOf(error), remedy }];
  }
}

async function compose(docker: Docker): Promise<DoctorCheck> {
  const name = "Docker compose";
  const version = await composeVersion(docker);
  if (version !== undefined) return { name, status: "ok", detail: version };
  const remedy = "install the compose plugin (docker-compose-plugin) for tasks of several containers";
  return { name, status: "warning", detail: "no compose plugin", remedy };
}

/** By which way an agent inside reaches its model. */
function doors(docker: Docker): DoctorCheck {
  const missing = ownEngineMissing(docker);
  const detail =
    missing === undefined
      ? "by the network of a sandbox's own container"
      : `by a second container in a sandbox's network, since ${missing}`;
  return { name: "Docker doors for models", status: "ok", detail };
}

async function base(docker: Docker, image: string): Promise<DoctorCheck> {
  const name = "Docker base image";
  try {
    await docker.getImage(image).inspect();
    return { name, status: "ok", detail: image };
  } catch {
    const detail = `${image} is not here yet; it is pulled for the first task without an image of its own`;
    return { name, status: "ok", detail };
  }
}
