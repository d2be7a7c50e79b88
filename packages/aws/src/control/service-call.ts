import { type AwsCall, awsError, isAwsError } from "../errors.ts";

/** A call, with the names of the errors that its caller has an answer for (`ExecutionAlreadyExists`). */
export interface ServiceCall extends AwsCall {
  expects?: readonly string[];
}

/** Calls AWS. Errors that the caller does not expect are put into words. @throws TracemillError, see `awsError`. */
export async function callService<T>(call: ServiceCall, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inWords(error, call);
  }
}

/** The same for the pages of a paginator. */
export async function* pagesOf<T>(call: ServiceCall, pages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* pages;
  } catch (error) {
    throw inWords(error, call);
  }
}

function inWords(error: unknown, call: ServiceCall): unknown {
  return isAwsError(error, ...(call.expects ?? [])) ? error : awsError(error, call);
}
