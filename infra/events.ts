import { Duration } from "aws-cdk-lib";
import { Rule, type RuleProps, type RuleTargetInput } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

/** A rule that calls a function, and what to do with events that the function cannot take. */
export function callOn(
  scope: Construct,
  id: string,
  rule: RuleProps,
  target: { function: IFunction; input?: RuleTargetInput; undelivered: IQueue },
): Rule {
  const made = new Rule(scope, id, rule);
  made.addTarget(
    new LambdaFunction(target.function, {
      ...(target.input === undefined ? {} : { event: target.input }),
      // A day of trouble with Lambda is survived.
      retryAttempts: 185,
      maxEventAge: Duration.hours(24),
      deadLetterQueue: target.undelivered,
    }),
  );
  return made;
}
