import type { BatchClient } from "@aws-sdk/client-batch";
import type { IAMClient } from "@aws-sdk/client-iam";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import type { SQSClient } from "@aws-sdk/client-sqs";
import type { STSClient } from "@aws-sdk/client-sts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { StackInfo } from "../../stack.ts";
import type { Executions } from "../executions.ts";
import type { Images } from "../images.ts";
import { checked } from "./check.ts";
import { identityOf } from "./identity.ts";
import { imageChecks } from "./image-checks.ts";
import { permissionChecks } from "./permissions.ts";
import { capacities, type QueueKind, queueChecks } from "./queues.ts";
import { quotaChecks } from "./quotas.ts";
import { secretChecks, secretNames } from "./secret-checks.ts";
import { deadLetterCheck, reachChecks } from "./store-checks.ts";

/** What can be said about a deployed stage without starting anything. */
export interface StageChecks {
  /**
   * What a run needs before it starts.
   * @param needs the kinds of job that it uses, and the secrets.
   */
  beforeRun(needs: { kinds: readonly QueueKind[]; secrets: readonly string[] }): Promise<DoctorCheck[]>;
  /** Everything. */
  all(): Promise<DoctorCheck[]>;
}

export interface StageCheckDeps {
  stack: StackInfo;
  objects: ObjectStore;
  records: RecordStore;
  executions: Executions;
  images: Images;
  secrets: SecretStore;
  clients: {
    batch: BatchClient;
    iam: IAMClient;
    secretsManager: SecretsManagerClient;
    serviceQuotas: ServiceQuotasClient;
    sqs: SQSClient;
    sts: STSClient;
  };
}

export function stageChecks(deps: StageCheckDeps): StageChecks {
  const { stack, clients, images, secrets } = deps;
  return {
    async beforeRun({ kinds, secrets: names }) {
      const checks = await Promise.all([
        reachChecks(stack, deps),
        queueChecks(clients.batch, stack, kinds),
        imageChecks(clients.batch, images, stack, kinds),
        secretChecks(names, stack.secretPrefix, secrets),
      ]);
      return checks.flat();
    },
    async all() {
      const checks = await Promise.all([
        reachChecks(stack, deps),
        checked("permissions", async () =>
          permissionChecks(clients.iam, stack, await identityOf(clients.sts)),
        ),
        queueChecks(clients.batch, stack),
        imageChecks(clients.batch, images, stack),
        checked("secrets", async () => {
          const names = await secretNames(clients.secretsManager, stack.secretPrefix);
          return secretChecks(names, stack.secretPrefix, secrets);
        }),
        checked("quotas", async () =>
          quotaChecks(clients.serviceQuotas, await capacities(clients.batch, stack)),
        ),
        deadLetterCheck(clients.sqs, stack),
      ]);
      return checks.flat();
    },
  };
}
