import { TracemillError } from "../errors.ts";
import { checkValue } from "../redact/check/check-value.ts";
import { createRedactor } from "../redact/create.ts";

/** Where the values of variables stand, and patterns of what is to go. */
const withoutValues = /^(?:env|redact)$|^models\..*\.env$/;

/**
 * A spec is stored with its run, and agents with their options stand in every result: neither is redacted, since a run
 * is resumed by what they say.
 * @throws TracemillError `invalid-spec` for a spec that holds a secret anywhere but in a table of variables.
 */
export function refuseSecrets(spec: object, where: string): void {
  for (const [field, value] of checkedParts(spec)) {
    const [found] = checkValue(value, createRedactor());
    if (found === undefined) continue;
    const place = /^[^[.]/.test(found.place) ? `.${found.place}` : found.place;
    throw new TracemillError(
      "invalid-spec",
      `${where}: \`${field}${place}\` holds a secret (${found.kind}), which the run's stored spec and results would show; ${remedyOf(field)}`,
    );
  }
}

/** The spec's fields; of `models` each part of each, so that variables can be told from the rest. */
function checkedParts(spec: object): [string, unknown][] {
  const parts = Object.entries(spec).flatMap(([name, value]): [string, unknown][] =>
    name === "models" ? servedParts(value as Record<string, object>) : [[name, value]],
  );
  return parts.filter(([name]) => !withoutValues.test(name));
}

function servedParts(models: Readonly<Record<string, object>>): [string, unknown][] {
  return Object.entries(models).flatMap(([model, parts]) =>
    Object.entries(parts).map(([part, value]): [string, unknown] => [`models.${model}.${part}`, value]),
  );
}

function remedyOf(field: string): string {
  if (field === "agents") {
    return `a model's key goes into a variable that \`providers.NAME.key\` names, any other into the spec's \`env\`, from where \`\${NAME}\` in \`options.env\` takes it`;
  }
  if (field === "providers") return "put it into a variable, and name that as the provider's `key`";
  return "put it into a variable";
}
