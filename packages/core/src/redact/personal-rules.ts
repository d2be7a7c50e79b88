import type { SecretRule } from "./secret-rule.ts";

/** Names of accounts that are nobody's own. */
const nobody =
  /^(?:user|users|username|name|you|me|runner|ubuntu|debian|admin|node|app|agent|dev|docker|vscode|codespace|shared|public|default|guest|root|linuxbrew|ec2-user|work|workspace|sandbox|test|tests|example|\.{1,2})$/i;

function isSomebody(name: string): boolean {
  return !nobody.test(name) && !/^[[<{$%*]/.test(name);
}

/** Domains of documents (RFC 2606), and addresses that are no person's. */
const nobodysAddress =
  /@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|invalid|test|localhost|local)$|^(?:git|noreply|no-reply|root|user|postmaster|[\w.+-]*\[bot\])@|@(?:users\.)?noreply\.|\.(?:png|jpe?g|gif|svg|webp|js|ts|css|py|md|json|ya?ml|sh|html)$/i;

/** Data about people, by the part of a policy that asks for it. */
export const personalRules: Readonly<Record<"email" | "home", readonly SecretRule[]>> = {
  email: [
    {
      kind: "email",
      anchors: ["@", "%40"],
      pattern:
        /(?<=(?<before>(?<![A-Za-z0-9._%+\\-]|:\/\/[^\s/@]{0,64}:)[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}|(?<=\\[nrt])[A-Za-z0-9._+-]{1,64}))(?:@|%40)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9-])/y,
      accepts: (value) => !nobodysAddress.test(value.replace("%40", "@")),
    },
  ],
  home: [
    {
      kind: "home",
      anchors: ["/home", "/Users", "\\Users"],
      pattern:
        /(?<![\w.-])[/\\](?:home|Users)(?:\\{0,4}\/|\\{1,4})(?<value>[A-Za-z0-9._][A-Za-z0-9._-]{0,63})/y,
      accepts: isSomebody,
    },
  ],
};
