/** Secret values by name: Secrets Manager in the cloud, variables on one machine. Never stored, never logged. */
export interface SecretStore {
  /**
   * The value; `undefined` when there is no such secret, or none was set yet.
   * @throws TracemillError `unauthorized` when it may not be read.
   */
  get(name: string): Promise<string | undefined>;
}
