import type Docker from "dockerode";
import { labelled, removeLeftovers } from "../janitor.ts";

/**
 * Removes what compose has made for a project, as `docker compose down --volumes --remove-orphans --timeout 0` does,
 * found by its labels: no compose file is needed, nor the plugin. Silent about what is gone.
 */
export async function removeProject(docker: Docker, project: string): Promise<void> {
  await removeLeftovers(docker, await labelled(docker, `com.docker.compose.project=${project}`));
}
