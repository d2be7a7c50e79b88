import { entropy, looksRandom } from "./randomness.ts";
import { prefixed, type SecretRule, tokenStart } from "./secret-rule.ts";

const awsIds = ["AKIA", "ASIA", "ABIA", "ACCA", "AGPA", "AIDA", "AROA", "AIPA", "ANPA", "ANVA", "A3T"];

/** 40 characters of base64 that are no hash and no words. */
function isAwsSecret(value: string): boolean {
  return entropy(value) >= 4 && /[A-Z]/.test(value) && /[a-z]/.test(value) && looksRandom(value);
}

/**
 * Amazon: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids.
 * A secret access key has no form of its own; it is told by the key id beside it, or by its name.
 */
const aws: SecretRule[] = [
  {
    kind: "aws-secret-key",
    anchors: awsIds,
    pattern: new RegExp(
      `${tokenStart}(?:${awsIds.join("|")})[A-Z0-9]{16,17}(?:[^A-Za-z0-9+/]{1,4}[A-Za-z_]{0,32}){1,4}[^A-Za-z0-9+/]{0,4}(?<![A-Za-z0-9+/])(?<value>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])`,
      "y",
    ),
    accepts: isAwsSecret,
  },
  {
    kind: "aws-secret-key",
    anchors: ["secret_access_key", "secretaccesskey", "secret_key", "secretkey", "secret-access-key"],
    foldCase: true,
    pattern:
      /secret[_-]?(?:access[_-]?)?key(?:\\*["'])?\s{0,4}(?:=>|:=|[:=])\s{0,4}(?:\\*["'])?(?<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/iy,
    accepts: isAwsSecret,
  },
  {
    kind: "aws-access-key-id",
    anchors: awsIds,
    pattern: new RegExp(
      `${tokenStart}(?:A3T[A-Z0-9]|${awsIds.slice(0, -1).join("|")})[A-Z0-9]{16}(?![A-Za-z0-9])`,
      "y",
    ),
    accepts: (value) => looksRandom(value.slice(4)),
  },
  prefixed({
    kind: "aws-session-token",
    prefixes: ["IQoJb3JpZ2lu", "FwoGZXIvYXdzE", "FQoGZXIvYXdzE"],
    body: "A-Za-z0-9/+=%",
    length: [80, 4096],
  }),
  prefixed({ kind: "aws-bedrock-key", prefixes: ["ABSK"], body: "A-Za-z0-9+/=", length: [60, 256] }),
  prefixed({
    kind: "aws-bedrock-key",
    prefixes: ["bedrock-api-key-"],
    body: "A-Za-z0-9+/=",
    length: [60, 4096],
  }),
];

/** Microsoft: the forms that https://learn.microsoft.com/purview/sit-defn-azure-storage-account-key and its siblings describe. */
const azure: SecretRule[] = [
  {
    kind: "azure-key",
    anchors: ["accountkey", "sharedaccesskey"],
    foldCase: true,
    pattern: /(?:account|sharedaccess)key\s{0,2}=\s{0,2}(?<value>[A-Za-z0-9+/]{43,86}={1,2})/iy,
    accepts: looksRandom,
  },
  {
    kind: "azure-sas",
    anchors: ["sig="],
    pattern: /(?<=[?&;])sig=(?<value>[A-Za-z0-9%/+_-]{40,100}={0,2})/y,
    accepts: looksRandom,
  },
  {
    kind: "azure-client-secret",
    anchors: ["Q~"],
    pattern: /(?<=(?<before>[A-Za-z0-9_~.]{3}\d))Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])/y,
  },
  {
    kind: "azure-key",
    anchors: ["JQQJ99"],
    pattern: /(?<=(?<before>[A-Za-z0-9]{52}))JQQJ99[A-Za-z0-9]{26}(?![A-Za-z0-9])/y,
  },
];

/** Keys of the large clouds. */
export const cloudRules: readonly SecretRule[] = [...aws, ...azure];
