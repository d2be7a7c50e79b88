import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from "aws-cdk-lib/aws-dynamodb";
import type { LifecycleRule } from "aws-cdk-lib/aws-s3";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectOwnership,
  StorageClass,
} from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import type { Stage } from "./stage-file.ts";

export interface Storage {
  bucket: Bucket;
  table: Table;
}

/** Objects and records. Both outlive the stage where it retains its data. */
export function storage(scope: Construct, stage: Stage): Storage {
  return { bucket: bucketOf(scope, stage), table: tableOf(scope, stage) };
}

function bucketOf(scope: Construct, stage: Stage): Bucket {
  return new Bucket(scope, "Bucket", {
    // S3's own keys: KMS would add 3 USD per million requests, as much as the requests' own price again.
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    lifecycleRules: lifecycleOf(stage),
    removalPolicy: stage.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    autoDeleteObjects: !stage.retain,
  });
}

function lifecycleOf({ settings }: Stage): LifecycleRule[] {
  const { rawToInfrequentAccessAfterDays, expireRunsAfterDays, expireNoncurrentAfterDays } = settings.storage;
  const whole: LifecycleRule = {
    id: "leftovers",
    // A multipart upload takes minutes; one of a week ago belongs to a process that is gone.
    abortIncompleteMultipartUploadAfter: Duration.days(7),
    noncurrentVersionExpiration: Duration.days(expireNoncurrentAfterDays),
    expiredObjectDeleteMarker: true,
  };
  const raw: LifecycleRule = {
    id: "raw-to-infrequent-access",
    prefix: "raw/",
    transitions: [
      {
        storageClass: StorageClass.INFREQUENT_ACCESS,
        transitionAfter: Duration.days(rawToInfrequentAccessAfterDays),
      },
    ],
  };
  if (expireRunsAfterDays === undefined) return [whole, raw];
  return [whole, raw, { id: "expire-runs", prefix: "runs/", expiration: Duration.days(expireRunsAfterDays) }];
}

/** One table: `pk`/`sk`, rows by status (`gsi1…`) and by time (`gsi2…`); `packages/aws/src/record-index.ts`. */
function tableOf(scope: Construct, { retain }: Stage): Table {
  const string = (name: string) => ({ name, type: AttributeType.STRING });
  const table = new Table(scope, "Table", {
    partitionKey: string("pk"),
    sortKey: string("sk"),
    billingMode: BillingMode.PAY_PER_REQUEST,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    timeToLiveAttribute: "ttl",
    stream: StreamViewType.NEW_IMAGE,
    deletionProtection: retain,
    removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
  for (const index of ["gsi1", "gsi2"]) {
    table.addGlobalSecondaryIndex({
      indexName: index,
      partitionKey: string(`${index}pk`),
      sortKey: string(`${index}sk`),
      // Keys only: a write that changes neither of them costs nothing in the index.
      projectionType: ProjectionType.KEYS_ONLY,
    });
  }
  return table;
}
